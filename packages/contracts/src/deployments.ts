// Versions, deployments and routes, as Reactor Core tells them.
import { z } from 'zod';
import { aliasSchema, idSchema, sha256Schema, versionNameSchema, versionSchema } from './ids.ts';
import { modelTypeSchema } from './kinds.ts';
import { DEPLOYMENT_STATES } from './lifecycles.ts';

export const STRATEGIES = ['immediate', 'ab_test', 'gradual_rollout', 'canary', 'blue_green'] as const;
export const strategySchema = z.enum(STRATEGIES);
export type Strategy = z.infer<typeof strategySchema>;

const percentSchema = z.number().min(0).max(100);
export const rolloutStepsSchema = z
  .array(percentSchema.gt(0))
  .min(1)
  .max(20)
  .refine(
    (steps) => steps.every((s, i) => i === 0 || s > (steps[i - 1] ?? 0)),
    'each step has to be larger than the one before',
  )
  .refine((steps) => steps.at(-1) === 100, 'the last step has to be 100');

export const deployRequestSchema = z.object({
  model_version: versionNameSchema,
  model_type: modelTypeSchema,
  strategy: strategySchema.default('gradual_rollout'),
  config: z
    .object({
      initial_percentage: percentSchema.gt(0).optional(),
      rollout_steps: rolloutStepsSchema.optional(),
      rollback_on_error_rate: z.number().gt(0).lt(1).optional(),
      monitor_duration_seconds: z.number().nonnegative().optional(),
      auto_rollback: z.boolean().optional(),
    })
    .default({}),
});
export type DeployRequest = z.infer<typeof deployRequestSchema>;

export const deployResponseSchema = z.object({
  deployment_id: z.string(),
  model_version: z.string(),
  status: z.literal('deploying'),
  current_percentage: z.number(),
  message: z.string(),
});
export const rollbackRequestSchema = z.object({
  model_type: modelTypeSchema,
  previous_version: versionNameSchema.optional(),
});
export const rollbackResponseSchema = z.object({
  model_type: modelTypeSchema,
  rolled_back_to: z.string(),
  message: z.string(),
});

/** One entry of a rollout's history: how long a weight was held and what was seen meanwhile. */
export const rolloutStepSchema = z.object({
  percent: z.number(),
  started_at: z.string(),
  seconds: z.number(),
  requests: z.int().meta({ description: 'candidate requests seen in this step' }),
});

export const guardReadingSchema = z.object({
  guard: z.enum(['error_share', 'paired_accuracy', 'failure_limit']),
  evidence: z.number().meta({ description: 'e-value; the guard is broken at or above the threshold' }),
  threshold: z.number(),
  broken: z.boolean(),
});

export const deploymentSchema = z
  .object({
    deployment_id: z.string(),
    model_type: modelTypeSchema,
    model_version: z.string(),
    stable_version: z.string().nullable(),
    strategy: strategySchema,
    state: z.enum(DEPLOYMENT_STATES),
    current_percentage: z.number(),
    reason: z.string().meta({ description: 'why it is in this state, for a person' }),
    steps: z.array(rolloutStepSchema),
    guards: z.array(guardReadingSchema),
    gate: z
      .object({
        rows: z.int(),
        candidate_correct: z.int(),
        champion_correct: z.int(),
        candidate_only: z.int(),
        champion_only: z.int(),
        p_value: z.number(),
      })
      .nullable(),
    created_at: z.string(),
    ended_at: z.string().nullable(),
  })
  .meta({ id: 'Deployment' });
export type Deployment = z.infer<typeof deploymentSchema>;
export const deploymentsSchema = z.object({ deployments: z.array(deploymentSchema) });

export const modelVersionSchema = z
  .object({
    model_type: modelTypeSchema,
    version: versionSchema,
    digest: sha256Schema.meta({ description: 'SHA-256 of model.json' }),
    aliases: z.array(aliasSchema),
    metrics: z.record(z.string(), z.number()),
    files: z.record(z.string(), z.object({ bytes: z.int(), sha256: sha256Schema })),
    job_id: z.string().nullable(),
    parent_version: z.string().nullable(),
    created_at: z.string(),
  })
  .meta({ id: 'ModelVersion' });
export type ModelVersion = z.infer<typeof modelVersionSchema>;
export const modelsSchema = z.object({
  models: z.record(
    z.string(),
    z.object({ champion: z.string().nullable(), challenger: z.string().nullable(), versions: z.int() }),
  ),
});
export const modelVersionsSchema = z.object({ versions: z.array(modelVersionSchema) });

const routedVersionSchema = z.object({ version: versionSchema, digest: sha256Schema });
export type RoutedVersion = z.infer<typeof routedVersionSchema>;

/** Who serves a kind: everybody gets `stable`, but for the sessions whose hash falls below `weight`. */
export const routeSchema = z
  .object({
    model_type: modelTypeSchema,
    stable: routedVersionSchema,
    candidate: routedVersionSchema
      .extend({
        deployment_id: idSchema,
        salt: z.string(),
        weight: z.number().min(0).max(1),
        step: z.int().nonnegative(),
      })
      .nullable(),
  })
  .meta({ id: 'Route' });
export type Route = z.infer<typeof routeSchema>;

/** A full snapshot of all routes. `revision` only grows; a reader keeps the highest it has seen. */
export const routesSchema = z
  .object({ revision: z.int().nonnegative(), routes: z.array(routeSchema) })
  .meta({ id: 'Routes' });
export type Routes = z.infer<typeof routesSchema>;
