// Memory as a vector with a host: one machine today, several later, and one field per GPU.
import { z } from 'zod';
import { modelTypeSchema } from './kinds.ts';

export const resourceVectorSchema = z
  .object({
    host_id: z.string().min(1),
    ram_bytes: z.int().nonnegative(),
    vram_bytes: z.record(z.string(), z.int().nonnegative()).meta({ description: 'bytes by device' }),
  })
  .meta({ id: 'ResourceVector' });
export type ResourceVector = z.infer<typeof resourceVectorSchema>;

/** Who gives way when memory is short. */
export const NEGOTIATION_POLICIES = ['wait', 'serving_first', 'training_first'] as const;
export type NegotiationPolicy = (typeof NEGOTIATION_POLICIES)[number];

export const BYTES_PER_GB = 1024 ** 3;

/** Of a setting, which need not be a whole number of bytes. */
export function bytesOfGb(gb: number): number {
  return Math.round(gb * BYTES_PER_GB);
}

/** For a person: `1.25 GB`. */
export function inGb(bytes: number): string {
  return `${(bytes / BYTES_PER_GB).toFixed(2)} GB`;
}

/** Reactor Core's `GET /api/resources`: the earlier contract's fields and what is reserved. */
export const machineResourcesSchema = z.object({
  memory_usage_gb: z.number(),
  memory_total_gb: z.number(),
  cpu_percent: z.number(),
  gpu_memory_gb: z.number(),
  gpu_utilization_percent: z.number(),
  active_training_jobs: z.int(),
  reserved: z.array(
    z.object({ job_id: z.string(), lease_id: z.string().nullable(), need: resourceVectorSchema }),
  ),
});

/** JARVIS Core's `GET /api/resources`: the budget as measured, and why the next job waits. */
export const budgetSchema = z.object({
  host_id: z.string(),
  measured_at: z.string().nullable(),
  budget_bytes: z.int(),
  safety_bytes: z.int(),
  used_bytes: z.int().meta({ description: 'in use on the machine' }),
  others_bytes: z.int().meta({ description: 'used by processes that are not ours' }),
  owned: z.array(
    z.object({
      owner: z.string(),
      measured_bytes: z.int(),
      reserved_bytes: z.int(),
    }),
  ),
  available_bytes: z.int().meta({ description: 'what could be granted now' }),
  needs: z
    .array(z.object({ model_type: modelTypeSchema, ram_bytes: z.int(), why: z.string() }))
    .meta({ description: 'what the next job of each model type is given, and the evidence' }),
  next_job_waits: z.string().nullable(),
});
export type Budget = z.infer<typeof budgetSchema>;
