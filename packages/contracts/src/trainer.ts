// Trainer protocol, version 1: what passes between Reactor Core and a trainer, all of it files.
//
//   Reactor Core                            trainer (own process group)
//   job.json          ------------------->  read at start
//                     <-------------------  owner.json    created exclusively, before anything is allocated
//                     <-------------------  events.ndjson appended, one event a line
//                     <-------------------  checkpoints/, artifact/
//   heartbeat (mtime) ------------------->  silent for longer than orphan_grace_seconds: checkpoint and exit
//   SIGTERM           ------------------->  checkpoint, `preempted`, exit
import { z } from 'zod';
import { idSchema, sha256Schema, timestampSchema, tokenSchema } from './ids.ts';
import { modelTypeSchema } from './kinds.ts';

export const TRAINER_PROTOCOL_VERSION = 1;

/** The exit code of a trainer that was asked to stop and has saved a checkpoint. */
export const TRAINER_EXIT_PREEMPTED = 75;
/** The exit code of a trainer that wrote a `failed` event. */
export const TRAINER_EXIT_FAILED = 1;
/** The exit code of a trainer that found another trainer's owner file. */
export const TRAINER_EXIT_OWNED = 73;

export const MAX_EPOCHS = 100_000;

export const trainerConfigSchema = z.object({
  learning_rate: z.number().positive().max(1e3).optional(),
  batch_size: z.int().positive().max(1_048_576).optional(),
  model_architecture: z.string().max(128).optional(),
});
export type TrainerConfig = z.infer<typeof trainerConfigSchema>;

export const trainerJobSchema = z.object({
  protocol: z.literal(TRAINER_PROTOCOL_VERSION),
  job_id: idSchema,
  attempt: z.int().positive(),
  model_type: modelTypeSchema,
  token: tokenSchema,
  seed: z.int().nonnegative(),
  epochs: z.int().positive().max(MAX_EPOCHS),
  config: trainerConfigSchema,
  dataset: z.object({ path: z.string(), sha256: sha256Schema, rows: z.int().positive() }),
  parent_version: z.string().nullable(),
  checkpoint: z.object({
    enabled: z.boolean(),
    interval_epochs: z.int().positive(),
    dir: z.string(),
    keep_last: z.int().positive(),
  }),
  events_path: z.string(),
  owner_path: z.string(),
  artifact_dir: z.string(),
  heartbeat_path: z.string(),
  orphan_grace_seconds: z.number().positive(),
  /** A sign of life (an event, or a new time on the file of events) is due more often than this. Absent: never. */
  silence_limit_seconds: z.number().positive().optional(),
});
export type TrainerJob = z.infer<typeof trainerJobSchema>;

/** `owner.json`: who runs this attempt. `started_ticks` tells a reused pid apart (Linux: field 22 of /proc/pid/stat). */
export const trainerOwnerSchema = z.object({
  pid: z.int().positive(),
  started_ticks: z.string().nullable(),
  token: tokenSchema,
});
export type TrainerOwner = z.infer<typeof trainerOwnerSchema>;

const metricsSchema = z.record(z.string(), z.number());
export type Metrics = z.infer<typeof metricsSchema>;

const epochSchema = z.int().nonnegative().max(MAX_EPOCHS);
const eventFields = { token: tokenSchema, at: timestampSchema };

export const trainerEventSchema = z.discriminatedUnion('type', [
  z.object({
    ...eventFields,
    type: z.literal('started'),
    total_epochs: z.int().positive().max(MAX_EPOCHS),
    resumed_from_epoch: epochSchema,
    resume_grade: z.enum(['bitwise', 'statistical', 'restart']),
  }),
  z.object({
    ...eventFields,
    type: z.literal('progress'),
    epoch: epochSchema,
    total_epochs: z.int().positive().max(MAX_EPOCHS),
    loss: z.number(),
    accuracy: z.number().nullable(),
    metrics: metricsSchema.optional(),
  }),
  z.object({
    ...eventFields,
    type: z.literal('checkpoint'),
    epoch: epochSchema,
    path: z.string(),
    metrics: metricsSchema,
  }),
  z.object({ ...eventFields, type: z.literal('completed'), metrics: metricsSchema }),
  z.object({ ...eventFields, type: z.literal('preempted'), epoch: epochSchema }),
  z.object({
    ...eventFields,
    type: z.literal('failed'),
    code: z.string(),
    message: z.string(),
    retryable: z.boolean(),
  }),
]);
export type TrainerEvent = z.infer<typeof trainerEventSchema>;
/** An event before the kit has put the token and the time on it. */
export type TrainerEventBody = TrainerEvent extends infer E
  ? E extends unknown
    ? Omit<E, 'token' | 'at'>
    : never
  : never;

/** `manifest.json` of a checkpoint folder, written last; `manifest.sha256` beside it holds its sum. A folder without a manifest that verifies is no checkpoint. */
export const checkpointManifestSchema = z.object({
  format: z.literal(1),
  job_id: idSchema,
  epoch: z.int().nonnegative(),
  token: tokenSchema,
  dataset_sha256: sha256Schema,
  config_sha256: sha256Schema,
  code_sha256: sha256Schema,
  metrics: metricsSchema,
  files: z.record(z.string(), z.object({ bytes: z.int().nonnegative(), sha256: sha256Schema })),
});
export type CheckpointManifest = z.infer<typeof checkpointManifestSchema>;
