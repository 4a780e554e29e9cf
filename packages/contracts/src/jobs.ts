// JARVIS Core's queue, locks and leases on the wire.
import { z } from 'zod';
import { BREAKER_STATES } from './health.ts';
import { idSchema, tokenSchema } from './ids.ts';
import { modelTypeSchema, priorityClassSchema } from './kinds.ts';
import { JOB_STATES, LEASE_STATES, LOCK_STATES } from './lifecycles.ts';
import { resourceVectorSchema } from './resources.ts';
import { MAX_EPOCHS, trainerConfigSchema } from './trainer.ts';

/** A year. */
const MAX_WAIT_SECONDS = 31_622_400;

export const jobSubmitSchema = z.strictObject({
  job_id: idSchema.optional(),
  model_type: modelTypeSchema,
  priority: priorityClassSchema.optional(),
  epochs: z.int().positive().max(MAX_EPOCHS).optional(),
  config: trainerConfigSchema.default({}),
  need: resourceVectorSchema.omit({ host_id: true }).optional(),
  auto_deploy: z.boolean().default(true),
  max_wait_seconds: z.number().positive().max(MAX_WAIT_SECONDS).optional().meta({
    description: 'it is cancelled when it was not started by then; TRAINING_MAX_WAIT when not given',
  }),
  reason: z.string().max(500).default('asked for'),
});
export type JobSubmit = z.infer<typeof jobSubmitSchema>;

export const jobSchema = z
  .object({
    job_id: z.string(),
    model_type: modelTypeSchema,
    priority: priorityClassSchema,
    state: z.enum(JOB_STATES),
    reason: z.string().meta({ description: 'why it is where it is, for a person' }),
    submitted_at: z.string(),
    ended_at: z.string().nullable(),
    attempt: z.int(),
    slot: z.int().nullable(),
    token: z.int().nullable(),
    lease_id: z.string().nullable(),
    epoch: z.int(),
    total_epochs: z.int(),
    loss: z.number().nullable(),
    accuracy: z.number().nullable(),
    model_version: z.string().nullable(),
    error: z.string().nullable(),
    dataset_sha256: z.string().nullable(),
    not_before: z.string().nullable().meta({ description: 'a retry waits until then' }),
  })
  .meta({ id: 'Job' });
export type Job = z.infer<typeof jobSchema>;
export const jobsSchema = z.object({ jobs: z.array(jobSchema) });
export const jobSubmittedSchema = z.object({
  job: jobSchema,
  joined: z.boolean().meta({ description: 'true when an equal job was waiting already' }),
});

/** The events of a job's stream, by their SSE event name. The last is the one with a terminal state. */
export const jobEventSchema = z.object({
  job_id: z.string(),
  state: z.enum(JOB_STATES),
  reason: z.string(),
  attempt: z.int(),
  epoch: z.int(),
  total_epochs: z.int(),
  loss: z.number().nullable(),
  accuracy: z.number().nullable(),
  model_version: z.string().nullable(),
});
export type JobEvent = z.infer<typeof jobEventSchema>;
export const JOB_STREAM_EVENTS = ['state', 'progress'] as const;

/** Of a model type: whether its training is held back because its jobs failed one after another. */
/** What held the training of a model type back. */
export const BREAKER_CAUSES = ['failed_jobs', 'rollbacks'] as const;
export type BreakerCause = (typeof BREAKER_CAUSES)[number];

export const breakerSchema = z
  .object({
    model_type: modelTypeSchema,
    state: z.enum(BREAKER_STATES),
    cause: z.enum(BREAKER_CAUSES).default('failed_jobs'),
    failures: z.int().meta({
      description:
        'failed jobs since the last that completed, or candidates rolled back since the last that was promoted',
    }),
    open_until: z.string().nullable().meta({ description: 'then one job is let through to try' }),
    last_error: z.string(),
  })
  .meta({ id: 'Breaker' });
export type Breaker = z.infer<typeof breakerSchema>;
export const breakersSchema = z.object({ breakers: z.array(breakerSchema) });

/** Whether trainings may run now. */
export const trainingGateSchema = z
  .object({
    held: z.boolean(),
    reason: z.string().nullable().meta({ description: 'why nobody trains now, and what would let it go' }),
    paused: z
      .boolean()
      .meta({ description: 'by a person; the hour or the use of the machine may hold it too' }),
    paused_until: z.string().nullable(),
  })
  .meta({ id: 'TrainingGate' });
export type TrainingGateState = z.infer<typeof trainingGateSchema>;
const PAUSE_SECONDS_MAX = 31_622_400;
export const trainingPauseSchema = z.strictObject({
  seconds: z.number().positive().max(PAUSE_SECONDS_MAX).optional().meta({
    description: 'it goes on by itself after so long; only with resume when not given',
  }),
  reason: z.string().max(500).default(''),
});

export const lockSchema = z
  .object({
    name: z.string(),
    state: z.enum(LOCK_STATES),
    holder: z.string().nullable(),
    token: z.int().meta({ description: 'the highest ever given for this name' }),
    expires_at: z.string().nullable(),
    waiting: z.int().nonnegative().optional().meta({ description: 'how many calls wait for it' }),
  })
  .meta({ id: 'Lock' });
export type Lock = z.infer<typeof lockSchema>;
export const locksSchema = z.object({ locks: z.array(lockSchema) });
/** A whole millisecond: what is shorter would be over when it is granted. */
const LOCK_TTL_SECONDS_MIN = 0.001;
export const LOCK_TTL_SECONDS_MAX = 86_400;
/** One call waits no longer than this. Who asks again at once with the same request id keeps its place. */
export const LOCK_WAIT_SECONDS_MAX = 30;

export const lockAcquireSchema = z
  .strictObject({
    holder: idSchema,
    ttl_seconds: z.number().min(LOCK_TTL_SECONDS_MIN).max(LOCK_TTL_SECONDS_MAX).optional(),
    request_id: idSchema.optional().meta({
      description:
        'sent again with it, a request gets the same grant while that holds, and never a second one',
    }),
    wait_seconds: z.number().nonnegative().max(LOCK_WAIT_SECONDS_MAX).default(0).meta({
      description: 'how long to wait in the line, first come first served; needs a request_id',
    }),
  })
  .refine((body) => body.wait_seconds === 0 || body.request_id !== undefined, {
    path: ['request_id'],
    message: 'is needed to wait: by it the place in the line is found again',
  });
export const lockCancelSchema = z.strictObject({ request_id: idSchema });
export const lockCancelledSchema = z.object({
  name: z.string(),
  request_id: z.string(),
  released: z
    .boolean()
    .meta({ description: 'true when it had been granted already, and was given back by this' }),
});
export const lockGrantedSchema = z.object({
  name: z.string(),
  holder: z.string(),
  token: tokenSchema,
  ttl_seconds: z.number(),
});
export const lockHeldRequestSchema = z.strictObject({ holder: idSchema, token: tokenSchema });
export const lockReleasedSchema = z.object({ name: z.string(), released: z.boolean() });

/** The name of the lock of training slot n. */
export function slotLockName(slot: number): string {
  return `training/${slot}`;
}

/** Whether memory is asked for to train, or by J-Prime to answer requests. */
export const LEASE_PURPOSES = ['training', 'serving'] as const;
export type LeasePurpose = (typeof LEASE_PURPOSES)[number];

/** The holder of what J-Prime asks for to load its LLM server. */
export const LLM_HOLDER = 'llm';

export const leaseRequestSchema = z.strictObject({
  holder: idSchema.meta({ description: 'the job, or the part of J-Prime' }),
  purpose: z.enum(LEASE_PURPOSES).default('training'),
  model_type: modelTypeSchema,
  need: resourceVectorSchema.omit({ host_id: true }).optional(),
  why: z.string().max(500).default(''),
});
export const leaseSchema = z
  .object({
    lease_id: z.string(),
    holder: z.string(),
    purpose: z.enum(LEASE_PURPOSES),
    state: z.enum(LEASE_STATES),
    need: resourceVectorSchema,
    reason: z.string(),
    granted_at: z.string().nullable(),
    expires_at: z.string().nullable(),
    ttl_seconds: z.number(),
    reclaim_requested: z
      .string()
      .nullable()
      .meta({ description: 'why its holder is asked to give it back; null while nobody asks' }),
  })
  .meta({ id: 'Lease' });
export type Lease = z.infer<typeof leaseSchema>;
export const leasesSchema = z.object({ leases: z.array(leaseSchema) });
