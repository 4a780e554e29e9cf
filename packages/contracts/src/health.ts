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

export const healthSchema = identitySchema
  .extend({
    status: z.enum(['healthy', 'degraded', 'starting']),
    uptime_seconds: z.number(),
    active_training_jobs: z.int(),
    experience_buffer_size: z.int(),
    models_deployed: z.record(z.string(), z.string()),
    peers: z
      .record(z.string(), z.object({ reachable: z.boolean(), detail: z.string() }))
      .optional()
      .meta({ description: 'the services that this one needs, as last seen' }),
    outbox_pending: z.int().optional(),
  })
  .meta({ id: 'Health' });
export type Health = z.infer<typeof healthSchema>;

export const invariantReportSchema = z.object({
  checked: z.array(z.string()),
  broken: z.array(z.object({ invariant: z.string(), message: z.string() })),
});
export type InvariantReport = z.infer<typeof invariantReportSchema>;
