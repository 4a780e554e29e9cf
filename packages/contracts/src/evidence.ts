// What the judge of a rollout hears: from J-Prime (requests served, failed) and from JARVIS Core (corrections).
import { z } from 'zod';
import { idSchema } from './ids.ts';

export const ARMS = ['stable', 'candidate'] as const;
export const armSchema = z.enum(ARMS);
export type Arm = z.infer<typeof armSchema>;

const fields = {
  evidence_id: idSchema.meta({ description: 'counts once, however often it is sent' }),
  deployment_id: idSchema,
  arm: armSchema,
  observed_at: z.string(),
};

const errorFields = {
  weight: z
    .number()
    .min(0)
    .max(1)
    .meta({ description: "the candidate's weight when the request was assigned" }),
  session_hash: z.string().max(64),
};

export const evidenceSchema = z.discriminatedUnion('kind', [
  z.object({
    ...fields,
    kind: z.literal('requests'),
    count: z.int().positive(),
    step: z.int().nonnegative(),
  }),
  z.object({ ...fields, ...errorFields, kind: z.literal('failed') }),
  z.object({ ...fields, ...errorFields, kind: z.literal('slow') }),
  z.object({ ...fields, ...errorFields, kind: z.literal('corrected') }),
  z.object({ ...fields, kind: z.literal('broken'), detail: z.string().max(2000) }),
]);
export type Evidence = z.infer<typeof evidenceSchema>;

export const MAX_EVIDENCE_PER_BATCH = 1000;
export const evidenceBatchSchema = z.object({
  evidence: z.array(evidenceSchema).min(1).max(MAX_EVIDENCE_PER_BATCH),
});
export const evidenceReceiptSchema = z.object({
  accepted: z.int(),
  repeated: z.int(),
  unknown_deployment: z.int(),
});
