// llama-swap: starts and stops a server for each model. Its unload waits for the end of the processes, but not for requests
// (10 s, then they are stopped), so that those have to be over before.
import { z } from 'zod';
import type { Adapter, Ground, Sight } from '../adapter.ts';
import { CallFailed } from '../calls.ts';
import { modelListSchema, namesOf } from './openai-models.ts';

export const runningSchema = z.object({
  running: z.array(z.object({ model: z.string(), state: z.string().default('ready') })),
});
const GONE: ReadonlySet<string> = new Set(['stopped', 'shutdown']);
const envelopeSchema = z.object({ type: z.string(), data: z.string() });
const inflightSchema = z.object({ total: z.int().nonnegative() });
const NO_SUCH_PATH = 404;

export function createLlamaSwap({ calls }: Ground): Adapter {
  return {
    kind: 'llama-swap',
    async look(signal): Promise<Sight> {
      const [{ running }, list] = await Promise.all([
        calls.look('/running', runningSchema, signal),
        calls.look('/v1/models', modelListSchema, signal),
      ]);
      const there = running.filter(({ state }) => !GONE.has(state));
      const isReady = there.some(({ state }) => state === 'ready');
      const inflight = isReady ? await calls.find('/api/events', inflightOf, signal) : null;
      const told = there.map(({ model, state }) => `${model} (${state})`).join(', ');
      return {
        state: isReady ? 'ready' : there.length > 0 ? 'loading' : 'unloaded',
        listed: namesOf(list),
        loaded: there.map(({ model }) => model),
        running: isReady ? inflight : null,
        statedBytes: null,
        detail: there.length > 0 ? `runs ${told}` : 'runs no model',
        way: 'unload',
        cannot: null,
      };
    },
    async release(_, signal) {
      try {
        await calls.act('POST', '/api/models/unload', signal);
      } catch (error) {
        // Before v161.
        if (!(error instanceof CallFailed) || error.status !== NO_SUCH_PATH) throw error;
        await calls.act('GET', '/unload', signal);
      }
    },
    async bring(_, models, signal) {
      // Any request that names the model starts it; this one makes it work on nothing.
      for (const model of models)
        await calls.act('GET', `/upstream/${encodeURIComponent(model)}/health`, signal);
    },
  };
}

/** Requests under way, from an event of `/api/events`; since v235. */
function inflightOf(event: string): number | null {
  const data = event
    .split('\n')
    .filter((line) => line.startsWith('data:'))
    .map((line) => line.slice('data:'.length))
    .join('\n');
  try {
    const { type, data: inner } = envelopeSchema.parse(JSON.parse(data));
    return type === 'inflight' ? inflightSchema.parse(JSON.parse(inner)).total : null;
  } catch {
    return null;
  }
}
