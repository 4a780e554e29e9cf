// The kinds of model the system trains, and the priority class each has by default.
import { z } from 'zod';

export const MODEL_TYPES = ['voice', 'nlu', 'vision', 'embedding', 'llm'] as const;
export const modelTypeSchema = z.enum(MODEL_TYPES).meta({ description: 'Kind of model' });
export type ModelType = z.infer<typeof modelTypeSchema>;

export const PRIORITY_CLASSES = ['critical', 'high', 'normal', 'low'] as const;
export const priorityClassSchema = z.enum(PRIORITY_CLASSES);
export type PriorityClass = z.infer<typeof priorityClassSchema>;

export const DEFAULT_PRIORITY: Readonly<Record<ModelType, PriorityClass>> = {
  voice: 'critical',
  nlu: 'high',
  vision: 'normal',
  embedding: 'low',
  llm: 'low',
};

/** Rank of a class, 0 is served first. The only place where classes are ordered. */
export const PRIORITY_RANK: Readonly<Record<PriorityClass, number>> = {
  critical: 0,
  high: 1,
  normal: 2,
  low: 3,
};
