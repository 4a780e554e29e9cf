// J-Prime's own calls: predictions by kind, and making room in memory.
import { z } from 'zod';
import { sessionIdSchema } from './assistant.ts';
import { armSchema } from './evidence.ts';
import { modelTypeSchema } from './kinds.ts';
import { LLM_STATES, SERVED_VERSION_STATES } from './lifecycles.ts';
import { NEGOTIATION_POLICIES } from './resources.ts';

/** LLM servers that J-Prime can stand in front of: how each is seen, unloaded and brought back differs. */
export const LLM_SERVER_KINDS = [
  'ollama',
  'llama-swap',
  'vllm',
  'llama-server',
  'lm-studio',
  'localai',
] as const;
export type LlmServerKind = (typeof LLM_SERVER_KINDS)[number];

/** Where J-Prime runs a model; `auto`: by what a prediction was measured to cost. */
export const WORKER_THREAD_MODES = ['auto', 'always', 'never'] as const;
export type WorkerThreadMode = (typeof WORKER_THREAD_MODES)[number];

export const predictRequestSchema = z.object({
  input: z.record(z.string(), z.unknown()),
  session_id: sessionIdSchema.optional(),
});
export const predictResponseSchema = z
  .object({
    output: z.record(z.string(), z.unknown()),
    confidence: z.number(),
    version: z.string(),
    arm: armSchema,
    rollout: z
      .object({
        deployment_id: z.string(),
        weight: z.number(),
        session_hash: z.string(),
        pair_id: z.string().nullable().default(null).meta({
          description: 'set where the other version answers the same input in the shadow',
        }),
        candidate_failed: z
          .string()
          .nullable()
          .default(null)
          .meta({ description: 'the candidate that failed this request, which stable then answered' }),
      })
      .nullable()
      .meta({
        description:
          'set while a rollout of this kind is under way: what a later correction has to be filed under',
      }),
  })
  .meta({ id: 'Prediction' });
export type PredictResponse = z.infer<typeof predictResponseSchema>;

export const servedModelSchema = z.object({
  model_type: modelTypeSchema,
  version: z.string(),
  state: z.enum(SERVED_VERSION_STATES),
  role: z.enum(['stable', 'candidate', 'previous']),
  requests: z.int(),
  failures: z.int(),
});
export const llmResourcesSchema = z.object({
  name: z.string(),
  state: z.enum(LLM_STATES),
  reason: z.string().meta({ description: 'why it is in that state, for a person' }),
  running: z.int().meta({ description: 'requests that J-Prime passed on and that are not answered yet' }),
  idle_seconds: z.number(),
  busy_elsewhere: z.boolean().meta({ description: 'it works on requests that did not come through J-Prime' }),
  waiting_requests: z.int().meta({ description: 'held up until it is ready' }),
  measured_bytes: z.int().nullable().meta({ description: 'null where it cannot be measured' }),
  pids: z.array(z.int()).meta({ description: 'roots of the process trees that hold its memory here' }),
  ways: z.array(z.enum(['sleep', 'unload', 'stop'])).meta({ description: 'how it can give memory back' }),
  cannot: z.string().nullable().meta({ description: 'why it can give nothing back' }),
});
export type LlmResources = z.infer<typeof llmResourcesSchema>;
export const primeResourcesSchema = z.object({
  memory_usage_gb: z.number(),
  active_requests: z.int(),
  idle_seconds: z.number(),
  models: z.array(servedModelSchema),
  llm: llmResourcesSchema.nullable().default(null),
});
export type PrimeResources = z.infer<typeof primeResourcesSchema>;

export const makeRoomRequestSchema = z.object({
  request_id: z.string().min(1).max(128),
  bytes: z.int().positive(),
  by: z.string().meta({ description: 'deadline, RFC 3339' }),
  why: z.string().max(500),
  policy: z.enum(NEGOTIATION_POLICIES).default('wait').meta({
    description: 'training_first: the LLM gives way even while it is in use; else only what is idle goes',
  }),
});
export const makeRoomSchema = z
  .object({
    request_id: z.string(),
    state: z.enum(['draining', 'done', 'refused']),
    steps: z.array(
      z.object({ what: z.string(), frees_bytes: z.int(), state: z.enum(['planned', 'done', 'skipped']) }),
    ),
    freed_bytes: z.int(),
    reason: z.string(),
  })
  .meta({ id: 'MakeRoom' });
export type MakeRoom = z.infer<typeof makeRoomSchema>;
export const restoreResponseSchema = z.object({ restored: z.array(z.string()) });
