// LocalAI: a process for each model. It waits 30 s for requests, and then says that the model is still busy; the busy state
// that its monitor has is never set, so that it counts no requests.
import { z } from 'zod';
import type { Adapter, Ground, Sight } from '../adapter.ts';
import { CallFailed } from '../calls.ts';
import { modelListSchema, namesOf } from './openai-models.ts';

export const systemSchema = z.object({
  backends: z.array(z.unknown()).nullable(),
  loaded_models: z.array(z.object({ id: z.string() })).nullable(),
});
const NO_SUCH_PATH: ReadonlySet<number> = new Set([404, 405]);

export function createLocalAi({ calls }: Ground): Adapter {
  return {
    kind: 'localai',
    async look(signal): Promise<Sight> {
      const [system, list] = await Promise.all([
        calls.look('/system', systemSchema, signal),
        calls.look('/v1/models', modelListSchema, signal),
      ]);
      const loaded = (system.loaded_models ?? []).map(({ id }) => id);
      return {
        state: loaded.length > 0 ? 'ready' : 'unloaded',
        listed: namesOf(list),
        loaded,
        running: null,
        statedBytes: null,
        detail: loaded.length > 0 ? `has ${loaded.join(', ')} in memory` : 'has no model in memory',
        way: 'unload',
        cannot: null,
      };
    },
    async release({ loaded }, signal) {
      for (const model of loaded) await calls.act('POST', '/backend/shutdown', signal, { model });
    },
    async bring(_, models, signal) {
      for (const model of models)
        try {
          await calls.act('POST', '/backend/load', signal, { model });
        } catch (error) {
          // Before 4.6 the first work loads it: a word of it is asked for.
          if (!(error instanceof CallFailed) || !NO_SUCH_PATH.has(error.status ?? 0)) throw error;
          const asked = { model, messages: [{ role: 'user', content: '.' }], max_tokens: 1 };
          await calls.act('POST', '/v1/chat/completions', signal, asked);
        }
    },
  };
}
