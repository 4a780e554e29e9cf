// What the assistant lived through: one input, what was answered, and what would have been right.
import { z } from 'zod';
import { type ModelType, modelTypeSchema } from './kinds.ts';
import { epochSecondsSchema, idSchema } from './ids.ts';

export const EXPERIENCE_TYPES = ['voice_auth', 'command', 'vision', 'interaction'] as const;
export const experienceTypeSchema = z.enum(EXPERIENCE_TYPES);
export type ExperienceType = z.infer<typeof experienceTypeSchema>;

/** Which kind of model learns from which type of experience. */
export const MODEL_TYPE_OF_EXPERIENCE: Readonly<Record<ExperienceType, ModelType>> = {
  command: 'nlu',
  voice_auth: 'voice',
  vision: 'vision',
  interaction: 'embedding',
};

/** The intent that stands for "none of mine". */
export const OUT_OF_SCOPE_INTENT = 'oos';

export const MAX_TEXT_CHARS = 4096;
export const MAX_LABEL_CHARS = 256;

const openObject = z.record(z.string(), z.unknown());

const commonFields = {
  actual_output: openObject.nullish(),
  success: z.boolean().nullish(),
  confidence: z.number().min(0).max(1).nullish(),
  metadata: openObject.nullish(),
  timestamp: epochSecondsSchema.optional(),
};

const labelSchema = z.string().min(1).max(MAX_LABEL_CHARS);

/** Strict: a misspelt `expected_output` would be lost in silence. What a client knows besides goes into `metadata`. */
export const experienceSchema = z
  .discriminatedUnion('type', [
    z.strictObject({
      ...commonFields,
      type: z.literal('command'),
      input: z.object({ text: z.string().min(1).max(MAX_TEXT_CHARS) }),
      expected_output: z.object({ intent: labelSchema }).nullish(),
    }),
    z.strictObject({
      ...commonFields,
      type: z.literal('voice_auth'),
      input: z.union([
        z.object({ audio_base64: z.base64() }),
        z.object({ audio_path: z.string().min(1) }),
        z.object({ audio_embedding: z.array(z.number()).min(1).max(4096) }),
      ]),
      expected_output: z.object({ speaker: labelSchema }).nullish(),
    }),
    z.strictObject({
      ...commonFields,
      type: z.literal('vision'),
      input: z.union([z.object({ image_base64: z.base64() }), z.object({ image_path: z.string().min(1) })]),
      expected_output: z.object({ label: labelSchema }).nullish(),
    }),
    z.strictObject({
      ...commonFields,
      type: z.literal('interaction'),
      input: z.object({ a: z.string().min(1).max(MAX_TEXT_CHARS), b: z.string().min(1).max(MAX_TEXT_CHARS) }),
      expected_output: z.object({ score: z.number().min(0).max(1) }).nullish(),
    }),
  ])
  .meta({ id: 'Experience' });
export type Experience = z.infer<typeof experienceSchema>;

export const MAX_EXPERIENCES_PER_BATCH = 5000;

export const experiencesRequestSchema = z.strictObject({
  experiences: z.array(experienceSchema).min(1).max(MAX_EXPERIENCES_PER_BATCH),
});
export const experiencesResponseSchema = z.object({
  batch_id: idSchema,
  stored: z.int().nonnegative(),
  repeated: z.boolean().meta({ description: 'true when this batch had been stored before' }),
});

/** A file in the drop folder: `experiences_<kind>_<epoch>.json`. */
export const dropFileSchema = z.strictObject({
  batch_id: idSchema,
  model_type: modelTypeSchema,
  experiences: z.array(experienceSchema).min(1),
  created_at: z.union([epochSecondsSchema, z.string()]).optional(),
});

export const experienceStatsSchema = z.object({
  total: z.int(),
  by_kind: z.record(
    z.string(),
    z.object({
      total: z.int(),
      trainable: z.int().meta({ description: 'with an expected output' }),
      new_since_training: z.int(),
    }),
  ),
  by_source: z.record(z.string(), z.int()),
});
export type ExperienceStats = z.infer<typeof experienceStatsSchema>;

/**
 * One line of a frozen data set (NDJSON). `gate` rows are never read by a trainer: the offline gate compares on them.
 * `validation` rows tune (thresholds, early stopping) but are never fitted; without them a trainer holds out its own.
 */
export const datasetRowSchema = z.object({
  id: z.string(),
  split: z.enum(['train', 'validation', 'gate']),
  input: openObject,
  expected_output: openObject,
});
export type DatasetRow = z.infer<typeof datasetRowSchema>;
