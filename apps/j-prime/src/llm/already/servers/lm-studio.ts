// LM Studio, 0.4.0 and later. To load a model that is loaded gives a second instance of it, and what it does not know it
// answers with 200 and an error. It counts no requests.
import { z } from 'zod';
import type { Adapter, Ground, Sight } from '../adapter.ts';

export const lmModelsSchema = z.object({
  models: z.array(
    z.object({
      key: z.string(),
      type: z.string().default('llm'),
      size_bytes: z.number().nonnegative().default(0),
      loaded_instances: z.array(z.object({ id: z.string() })),
    }),
  ),
});

export function createLmStudio({ calls }: Ground): Adapter {
  const list = async (signal: AbortSignal) =>
    (await calls.look('/api/v1/models', lmModelsSchema, signal)).models;
  return {
    kind: 'lm-studio',
    async look(signal): Promise<Sight> {
      const models = await list(signal);
      const there = models.filter(({ loaded_instances }) => loaded_instances.length > 0);
      const stated = there.reduce((sum, m) => sum + m.size_bytes * m.loaded_instances.length, 0);
      const names = there.map(({ key }) => key);
      return {
        state: there.length > 0 ? 'ready' : 'unloaded',
        // Those that talk first: who asks for none gets the first.
        listed: [
          ...models.filter(({ type }) => type === 'llm'),
          ...models.filter(({ type }) => type !== 'llm'),
        ].map(({ key }) => key),
        loaded: names,
        running: null,
        statedBytes: there.length > 0 ? stated : null,
        detail: there.length > 0 ? `has ${names.join(', ')} in memory` : 'has no model in memory',
        way: 'unload',
        cannot: null,
      };
    },
    async release(_, signal) {
      for (const { loaded_instances } of await list(signal))
        for (const { id } of loaded_instances)
          await calls.act('POST', '/api/v1/models/unload', signal, { instance_id: id });
    },
    async bring(sight, models, signal) {
      for (const model of models)
        if (!sight.loaded.includes(model)) await calls.act('POST', '/api/v1/models/load', signal, { model });
    },
  };
}
