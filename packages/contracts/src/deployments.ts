// Versions, deployments and routes, as Reactor Core tells them.
import { z } from 'zod';
import { armSchema } from './evidence.ts';
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
  pairs: z
    .int()
    .default(0)
    .meta({ description: 'inputs that both versions answered in this step, one in the shadow' }),
});

export const guardReadingSchema = z.object({
  guard: z.enum(['error_share', 'slow_answers', 'paired_accuracy', 'failure_limit']),
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

/** What a person may do to a rollout. */
export const ROLLOUT_ACTIONS = ['pause', 'resume', 'promote', 'abort'] as const;
export type RolloutAction = (typeof ROLLOUT_ACTIONS)[number];

const armCountsSchema = z.object({ stable: z.int(), candidate: z.int() });

/** What the judge knew at one time. */
export const rolloutSampleSchema = z.object({
  at: z.string(),
  percent: z.number(),
  requests: armCountsSchema,
  errors: z
    .object({ failed: armCountsSchema, slow: armCountsSchema, corrected: armCountsSchema })
    .meta({ description: 'requests that failed, were slow, or were corrected, by who served them' }),
  pairs: z
    .object({
      answered: z.int(),
      differed: z.int(),
      candidate_wrong: z.int(),
      stable_wrong: z.int(),
    })
    .meta({ description: 'inputs that both answered; and of those judged, on which just one was wrong' }),
  shadow: z.object({ requests: z.int(), failures: z.int() }),
  guards: z.array(guardReadingSchema),
});
export type RolloutSample = z.infer<typeof rolloutSampleSchema>;

const rateSchema = z.object({
  arm: armSchema,
  what: z.enum(['failed', 'slow', 'corrected']),
  events: z.int(),
  requests: z.int(),
  lower: z.number(),
  upper: z.number(),
});

/** For a person: what was compared, the evidence over time, why it ended. */
export const rolloutReportSchema = z
  .object({
    deployment: deploymentSchema,
    rates: z.array(rateSchema).meta({
      description:
        "shares of each arm's requests, with a confidence sequence that holds at all times together; for display, nothing is decided by it",
    }),
    no_worse: z.object({ by_errors: z.number(), by_pairs: z.number(), threshold: z.number() }).meta({
      description: 'evidence that the candidate is no worse, which an ab_test needs before it promotes',
    }),
    now: rolloutSampleSchema.meta({ description: 'what the judge knows, or knew at the end' }),
    samples: z.array(rolloutSampleSchema).meta({ description: 'oldest first' }),
  })
  .meta({ id: 'RolloutReport' });
export type RolloutReport = z.infer<typeof rolloutReportSchema>;

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
    z.object({
      champion: z.string().nullable(),
      challenger: z.string().nullable(),
      versions: z.int(),
      rolled_back: z
        .object({ in_a_row: z.int().positive(), reason: z.string(), ended_at: z.string() })
        .nullable()
        .default(null)
        .meta({ description: 'candidates since the last that was promoted; of the newest, why and when' }),
    }),
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
