// `GET /health` of every service: who answers, since when, with which data.
import { z } from 'zod';

export const SERVICES = ['jarvis-core', 'j-prime', 'reactor-core'] as const;
export const serviceNameSchema = z.enum(SERVICES);
export type ServiceName = z.infer<typeof serviceNameSchema>;

export const CONTRACT_VERSION = 1;

export const identitySchema = z.object({
  service: serviceNameSchema,
  instance_id: z.string(),
  home_id: z.string().meta({ description: 'the same for the services of one JARVIS_HOME' }),
  pid: z.int(),
  started_at: z.string(),
  contract_version: z.int(),
});
export type Identity = z.infer<typeof identitySchema>;

export const BREAKER_STATES = ['closed', 'open', 'half_open'] as const;
export type BreakerState = (typeof BREAKER_STATES)[number];

/** What a service knows of another one that it calls. */
export const peerSchema = z.object({
  reachable: z.boolean(),
  detail: z.string(),
  since: z.string().optional().meta({ description: 'for how long it has been reachable, or away' }),
  breaker: z.enum(BREAKER_STATES).optional().meta({
    description: 'open: calls fail at once; half_open: one call is let through to see',
  }),
  consecutive_failures: z
    .int()
    .optional()
    .meta({ description: 'calls without an answer since the last one' }),
  last_error: z.string().nullable().optional().meta({ description: 'of the last call without an answer' }),
});
export type Peer = z.infer<typeof peerSchema>;

/** Evidence that waits for the judge. */
export const outboxSchema = z.object({
  pending: z.int(),
  oldest_age_seconds: z.number().nullable().meta({ description: 'null when nothing waits' }),
  refused: z.int().meta({ description: 'set aside, for the judge will not take it' }),
});
export type Outbox = z.infer<typeof outboxSchema>;

export const healthSchema = identitySchema
  .extend({
    status: z.enum(['healthy', 'degraded', 'starting']),
    uptime_seconds: z.number(),
    active_training_jobs: z.int(),
    experience_buffer_size: z.int(),
    models_deployed: z.record(z.string(), z.string()),
    peers: z
      .record(z.string(), peerSchema)
      .optional()
      .meta({ description: 'the services that this one needs, as last seen' }),
    outbox_pending: z.int().optional(),
    outbox: outboxSchema.optional(),
  })
  .meta({ id: 'Health' });
export type Health = z.infer<typeof healthSchema>;

export const invariantReportSchema = z.object({
  checked: z.array(z.string()),
  broken: z.array(z.object({ invariant: z.string(), message: z.string() })),
  notes: z
    .array(z.string())
    .optional()
    .meta({ description: 'how far a check went that does not look at all' }),
});
export type InvariantReport = z.infer<typeof invariantReportSchema>;
