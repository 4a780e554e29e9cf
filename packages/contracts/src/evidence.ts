// What the judge of a rollout hears: from J-Prime (requests served, failed, slow, answered in the shadow) and from JARVIS
// Core (corrections, and judgements of answers of which there is a pair).
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

/** Larger answers are not compared. */
export const MAX_PAIR_OUTPUT_CHARS = 4_000;
const pairedOutputSchema = z.record(z.string(), z.unknown());
const pairIdSchema = idSchema.meta({ description: 'stands for one input that both versions were asked' });

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
  z
    .object({
      ...fields,
      kind: z.literal('shadowed'),
      count: z.int().positive(),
      failures: z.int().nonnegative(),
      differed: z.int().nonnegative(),
      step: z.int().nonnegative(),
    })
    .meta({
      description:
        'inputs that `arm` was asked in the shadow: whose answer no client got, how many it failed, and to how many its answer was another',
    }),
  z
    .object({
      ...fields,
      kind: z.literal('differed'),
      pair_id: pairIdSchema,
      stable_output: pairedOutputSchema,
      candidate_output: pairedOutputSchema,
    })
    .meta({ description: 'what both answered to one input, where that differs; `arm` is who served it' }),
  z
    .object({
      ...fields,
      ...errorFields,
      kind: z.literal('judged'),
      pair_id: pairIdSchema,
      correct: z.boolean(),
      expected_output: pairedOutputSchema.nullable(),
      asked: z.boolean(),
    })
    .meta({
      description:
        'what was said of the answer that `arm` gave to an input of a pair, and what would have been right, if that was said',
    }),
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
