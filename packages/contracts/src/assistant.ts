// The assistant's two calls: a command is understood, and later judged.
import { z } from 'zod';
import { armSchema } from './evidence.ts';
import { MAX_LABEL_CHARS, MAX_TEXT_CHARS } from './experience.ts';
import { idSchema } from './ids.ts';

export const sessionIdSchema = z.string().min(1).max(256);

export const commandRequestSchema = z.strictObject({
  text: z.string().min(1).max(MAX_TEXT_CHARS),
  session_id: sessionIdSchema.optional(),
});
export const commandResponseSchema = z.object({
  interaction_id: z.string(),
  intent: z.string(),
  confidence: z.number(),
  version: z.string(),
  arm: armSchema,
});
export const feedbackRequestSchema = z.strictObject({
  interaction_id: idSchema,
  correct: z.boolean(),
  expected_output: z.object({ intent: z.string().min(1).max(MAX_LABEL_CHARS) }).optional(),
  asked: z.boolean().default(false).meta({
    description:
      'the user was asked whether the answer was right, and would have been whatever it was. Who speaks up unasked does so for wrong answers above all, and that is allowed for when versions are compared',
  }),
});
export const feedbackResponseSchema = z.object({
  interaction_id: z.string(),
  stored: z.literal(true),
  repeated: z.boolean(),
});
