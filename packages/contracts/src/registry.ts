// The registry beside its versions: aliases and where a version comes from.
import { z } from 'zod';
import { SMALL_ARTIFACT_BYTES_MAX } from './artifact.ts';
import { deploymentSchema, strategySchema } from './deployments.ts';
import { aliasSchema, idSchema, sha256Schema, versionNameSchema, versionSchema } from './ids.ts';
import { modelTypeSchema } from './kinds.ts';

/** Follow from promotions and rollouts; nobody sets them by hand. The last two are other names of the first and the third. */
export const KEPT_ALIASES = ['stable', 'previous', 'candidate', 'champion', 'challenger'] as const;
export type KeptAlias = (typeof KEPT_ALIASES)[number];

export const aliasRequestSchema = z.object({
  version: versionNameSchema.meta({ description: 'the version it points to from now on, or an alias of it' }),
});
export const modelAliasSchema = z
  .object({ model_type: modelTypeSchema, alias: aliasSchema, version: versionSchema, kept: z.boolean() })
  .meta({ id: 'ModelAlias' });
export type ModelAlias = z.infer<typeof modelAliasSchema>;
export const modelAliasesSchema = z.object({ aliases: z.array(modelAliasSchema) });

export const lineageSchema = z
  .object({
    model_type: modelTypeSchema,
    version: versionSchema,
    digest: sha256Schema,
    origin: z.enum(['training', 'import']),
    created_at: z.string(),
    retired_at: z.string().nullable().meta({ description: 'since when its files are gone' }),
    job: z
      .object({ job_id: idSchema, epochs: z.int(), attempts: z.int(), created_at: z.string() })
      .nullable()
      .meta({ description: 'the job that trained it here; null when it was imported' }),
    dataset: z.object({ sha256: sha256Schema, rows: z.int() }),
    parent: z.object({ version: z.string(), digest: sha256Schema.nullable() }).nullable().meta({
      description: 'as the model says; the digest is null when that version is not of this registry',
    }),
    trained_by: z.object({
      job_id: idSchema.meta({ description: 'as the model says, which may be a job of another home' }),
      code_sha256: sha256Schema,
      config: z.record(z.string(), z.unknown()),
      seed: z.int(),
    }),
    metrics: z.record(z.string(), z.number()),
    deployments: z
      .array(
        deploymentSchema
          .pick({ deployment_id: true, state: true, reason: true, gate: true, created_at: true })
          .extend({ strategy: strategySchema, ended_at: z.string().nullable() }),
      )
      .meta({ description: 'newest first, each with what its gate found' }),
  })
  .meta({ id: 'Lineage' });
export type Lineage = z.infer<typeof lineageSchema>;

export const importRequestSchema = z.object({
  folder: z.string().min(1).max(4096).meta({
    description: 'a folder below TRAINING_DATA_DIR with model.json and the files it names',
  }),
});
export const importedSchema = z
  .object({
    model_type: modelTypeSchema,
    version: versionSchema,
    digest: sha256Schema,
    created: z.boolean().meta({ description: 'false when a version with the same digest was there already' }),
    message: z.string(),
  })
  .meta({ id: 'Imported' });
export type Imported = z.infer<typeof importedSchema>;

/** `model.json` and what it names. */
export const ARTIFACT_FILES_MAX = 64;
/** Of one tar: the files of a small model, and a `model.json` of this size at most. */
export const MANIFEST_BYTES_MAX = 4 * 1024 * 1024;
export const ARTIFACT_BYTES_MAX = SMALL_ARTIFACT_BYTES_MAX + MANIFEST_BYTES_MAX;
export const TAR_CONTENT_TYPE = 'application/x-tar';
