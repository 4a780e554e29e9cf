// llama-server of llama.cpp, with one model or as a router of many. Its /slots and /metrics are work for it: they wake a
// sleeper, and keep one that is awake from falling asleep, so that its running requests are not asked for.
import { z } from 'zod';
import type { Adapter, Ground, Sight } from '../adapter.ts';
import { CallFailed, type Calls } from '../calls.ts';
import { modelListSchema, namesOf } from './openai-models.ts';

export const propsSchema = z
  .object({
    role: z.string().optional(),
    is_sleeping: z.boolean().default(false),
    default_generation_settings: z.object({}).loose().optional(),
  })
  .refine((p) => p.role === 'router' || p.default_generation_settings !== undefined, 'is of no llama-server');
const routedSchema = z.object({
  data: z.array(
    z.object({
      id: z.string(),
      status: z.object({
        value: z.string(),
        failed: z.boolean().default(false),
        exit_code: z.int().optional(),
      }),
    }),
  ),
});
/** Others lie on the disk (`unloaded`, `downloaded`), or are on their way there (`downloading`). */
const IN_MEMORY: ReadonlySet<string> = new Set(['loading', 'loaded', 'sleeping']);
/** A sleeper is woken by any work; this is the least of it. */
const NOTHING = { prompt: ' ', n_predict: 0 };
const CANNOT =
  'a llama-server with one model keeps it: start it without a model (router mode), which can unload, or let J-Prime run it (JPRIME_LLM_COMMAND)';

export function createLlamaServer({ calls }: Ground): Adapter {
  return {
    kind: 'llama-server',
    async look(signal): Promise<Sight> {
      const props = await calls.look('/props', propsSchema, signal);
      return props.role === 'router'
        ? lookAtRouter(await calls.look('/models', routedSchema, signal))
        : await lookAtOne(calls, props.is_sleeping, signal);
    },
    async release({ loaded }, signal) {
      for (const model of loaded) await calls.act('POST', '/models/unload', signal, { model });
    },
    async bring(sight, models, signal) {
      if (sight.way === null) return await calls.act('POST', '/completion', signal, NOTHING);
      for (const model of models)
        if (!sight.loaded.includes(model)) await load(calls, model, signal);
        else await calls.act('POST', '/completion', signal, { model, ...NOTHING });
    },
  };
}

async function load(calls: Calls, model: string, signal: AbortSignal): Promise<void> {
  await calls.act('POST', '/models/load', signal, { model });
  const { data } = await calls.look('/models', routedSchema, signal);
  const status = data.find(({ id }) => id === model)?.status;
  if (status?.failed !== true) return;
  const code = status.exit_code === undefined ? '' : ` with exit code ${status.exit_code}`;
  throw new CallFailed('refused', `the process of ${model} ended${code}`);
}

async function lookAtOne(calls: Calls, asleep: boolean, signal: AbortSignal): Promise<Sight> {
  const list = await calls.look('/v1/models', modelListSchema, signal);
  const sizes = list.data.map(({ meta }) => meta?.size ?? 0);
  const stated = sizes.reduce((sum, size) => sum + size, 0);
  const listed = namesOf(list);
  return {
    state: asleep ? 'asleep' : 'ready',
    listed,
    loaded: asleep ? [] : listed,
    running: null,
    statedBytes: stated > 0 ? stated : null,
    detail: asleep ? 'sleeps by its own --sleep-idle-seconds' : `serves ${listed.join(', ')}`,
    way: null,
    cannot: CANNOT,
  };
}

function lookAtRouter({ data }: z.infer<typeof routedSchema>): Sight {
  const there = data.filter(({ status }) => IN_MEMORY.has(status.value));
  const has = (value: string): boolean => there.some(({ status }) => status.value === value);
  const told = there.map(({ id, status }) => `${id} (${status.value})`).join(', ');
  const failed = data.filter(({ status }) => status.failed).map(({ id }) => id);
  const hint = failed.length === 0 ? '' : `; could not load ${failed.join(', ')}`;
  return {
    state: has('loaded') ? 'ready' : has('loading') ? 'loading' : has('sleeping') ? 'asleep' : 'unloaded',
    listed: data.map(({ id }) => id),
    loaded: there.map(({ id }) => id),
    running: null,
    statedBytes: null,
    detail: (there.length > 0 ? `a router with ${told}` : 'a router with no model in memory') + hint,
    way: 'unload',
    cannot: null,
  };
}
