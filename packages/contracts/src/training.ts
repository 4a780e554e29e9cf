// Reactor Core's training calls: fields and event names of the earlier contract, and ours beside them.
import { z } from 'zod';
import { experienceSchema, MAX_EXPERIENCES_PER_BATCH } from './experience.ts';
import { idSchema, sha256Schema, tokenSchema } from './ids.ts';
import { modelTypeSchema } from './kinds.ts';
import { resourceVectorSchema } from './resources.ts';
import { MAX_EPOCHS, trainerConfigSchema } from './trainer.ts';
import { RUN_STATES } from './lifecycles.ts';

export const datasetRefSchema = z.object({
  url: z.url().meta({ description: 'NDJSON of data set rows' }),
  sha256: sha256Schema,
  rows: z.int().positive(),
});
export type DatasetRef = z.infer<typeof datasetRefSchema>;

export const trainingStartSchema = z
  .object({
    job_id: idSchema,
    model_type: modelTypeSchema,
    experiences: z.array(experienceSchema).min(1).max(MAX_EXPERIENCES_PER_BATCH).optional(),
    dataset_path: z.string().min(1).max(4096).optional(),
    dataset: datasetRefSchema.optional(),
    config: trainerConfigSchema.default({}),
    epochs: z.int().positive().max(MAX_EPOCHS),
    checkpoint_enabled: z.boolean().default(true),
    checkpoint_interval: z.int().positive().max(MAX_EPOCHS).optional(),
    fencing_token: tokenSchema.optional(),
    slot: z.int().nonnegative().optional().meta({ description: 'the slot that the token is for' }),
    lease_id: z.string().optional(),
    need: resourceVectorSchema.optional(),
    auto_deploy: z.boolean().default(false).meta({ description: 'gate and roll out the version when done' }),
    last_attempt: z
      .boolean()
      .default(false)
      .meta({ description: 'a lost trainer ends the job as failed instead of waiting for a higher token' }),
  })
  .refine((b) => [b.experiences, b.dataset_path, b.dataset].filter((x) => x !== undefined).length === 1, {
    message: 'exactly one of experiences, dataset_path and dataset is needed',
    path: ['experiences'],
  })
  .meta({ id: 'TrainingStart' });
export type TrainingStart = z.infer<typeof trainingStartSchema>;
export type TrainingStartInput = z.input<typeof trainingStartSchema>;

/** What of a start request makes it "the same body": neither the token nor what comes with it. */
export const START_FIELDS_OF_AN_ATTEMPT = [
  'fencing_token',
  'slot',
  'lease_id',
  'need',
  'last_attempt',
] as const;

export const trainingStartedSchema = z.object({
  job_id: z.string(),
  status: z.literal('started'),
  message: z.string(),
  estimated_duration_seconds: z.number(),
  attempt: z.int().positive(),
});
export type TrainingStarted = z.infer<typeof trainingStartedSchema>;

const metricsSchema = z.record(z.string(), z.number());

export const trainingStatusSchema = z
  .object({
    job_id: z.string(),
    status: z.enum(RUN_STATES),
    epoch: z.int(),
    total_epochs: z.int(),
    loss: z.number().nullable(),
    accuracy: z.number().nullable(),
    metrics: metricsSchema,
    model_version: z.string().nullable(),
    error: z.string().nullable(),
    started_at: z.number().nullable(),
    completed_at: z.number().nullable(),
  })
  .meta({ id: 'TrainingStatus' });
export type TrainingStatus = z.infer<typeof trainingStatusSchema>;

/** Why an attempt ended without a result. */
export const RUN_END_CAUSES = ['asked', 'memory_pressure', 'out_of_memory', 'silent', 'died'] as const;
const causeSchema = z.enum(RUN_END_CAUSES).meta({
  description:
    'asked: somebody wanted the slot or the memory; memory_pressure: it came near its limit and was stopped at a checkpoint; out_of_memory: it was killed for taking too much, or said so; silent: it hung; died: anything else',
});
export type RunEndCause = z.infer<typeof causeSchema>;

const peakSchema = z
  .int()
  .nullable()
  .meta({ description: 'the most memory that was seen of the trainer and what it started; null: none was' });

/** The events of `GET /api/training/stream/{job_id}`, by their SSE event name. */
export const TRAINING_STREAM_EVENTS = {
  status: z.object({
    job_id: z.string(),
    status: z.enum(RUN_STATES),
    epoch: z.int(),
    total_epochs: z.int(),
    loss: z.number().nullable(),
    accuracy: z.number().nullable(),
    attempt: z.int(),
    token: z.int().optional().meta({ description: 'the fencing token of the attempt' }),
    peak_ram_bytes: peakSchema.optional().meta({ description: 'with `lost` only' }),
    cause: causeSchema.optional().meta({ description: 'with `lost` only' }),
  }),
  checkpoint: z.object({
    job_id: z.string(),
    epoch: z.int(),
    checkpoint_path: z.string(),
    metrics: metricsSchema,
  }),
  completed: z.object({
    job_id: z.string(),
    status: z.literal('completed'),
    model_version: z.string(),
    metrics: metricsSchema,
    attempt: z.int().optional().meta({ description: 'the one that came to its end' }),
    peak_ram_bytes: peakSchema,
  }),
  failed: z.object({
    job_id: z.string(),
    status: z.literal('failed'),
    error: z.string(),
    code: z.string(),
    peak_ram_bytes: peakSchema,
  }),
  cancelled: z.object({
    job_id: z.string(),
    status: z.literal('cancelled'),
    peak_ram_bytes: peakSchema,
  }),
  preempted: z.object({
    job_id: z.string(),
    status: z.literal('preempted'),
    epoch: z.int(),
    attempt: z.int(),
    token: z.int().optional(),
    peak_ram_bytes: peakSchema,
    cause: causeSchema,
  }),
} as const;
export type TrainingStreamEventName = keyof typeof TRAINING_STREAM_EVENTS;
/** The events after which a stream of a job ends. */
export const LAST_TRAINING_EVENTS: readonly string[] = ['completed', 'failed', 'cancelled'];

export const trainingCancelledSchema = z.object({
  job_id: z.string(),
  status: z.literal('cancelled'),
  message: z.string(),
});
export const trainingPreemptedSchema = z.object({
  job_id: z.string(),
  status: z.string(),
  message: z.string(),
});

/** What holds a trainer to its memory. */
export const RUN_LIMIT_WAYS = ['cgroup v1', 'cgroup v2', 'none'] as const;
export const runLimitSchema = z
  .object({
    way: z.enum(RUN_LIMIT_WAYS).meta({ description: 'none: it is only watched' }),
    ram_bytes: z.int().nonnegative(),
  })
  .meta({ id: 'RunLimit' });
export type RunLimit = z.infer<typeof runLimitSchema>;

export const runSchema = z
  .object({
    job_id: z.string(),
    attempt: z.int(),
    model_type: modelTypeSchema,
    state: z.enum(RUN_STATES),
    token: z.int(),
    slot: z.int(),
    lease_id: z.string().nullable(),
    need: resourceVectorSchema.nullable(),
    pid: z.int().nullable(),
    // Absent from a Reactor Core that does not measure.
    peak_ram_bytes: peakSchema.optional(),
    limit: runLimitSchema.nullable().optional(),
    epoch: z.int(),
    total_epochs: z.int(),
    created_at: z.string(),
    ended_at: z.string().nullable(),
  })
  .meta({ id: 'Run' });
export type Run = z.infer<typeof runSchema>;
export const runsQuerySchema = z.object({
  live: z
    .enum(['true', 'false'])
    .default('false')
    .meta({ description: 'true: only runs that are accepted or running' }),
});
export const runsSchema = z.object({ runs: z.array(runSchema) });
