// What a trainer leaves: `model.json` and the files it names. Its address is the SHA-256 of the bytes of `model.json`.
import { z } from 'zod';
import { idSchema, sha256Schema } from './ids.ts';
import { modelTypeSchema } from './kinds.ts';

export const ARTIFACT_FORMAT = 1;
/** The small kinds stay below this, so that a version is fetched in a blink and two fit beside each other. */
export const SMALL_ARTIFACT_BYTES_MAX = 30 * 1024 * 1024;
export const MODEL_MANIFEST_FILE = 'model.json';

export const modelManifestSchema = z.object({
  format: z.literal(ARTIFACT_FORMAT),
  kind: modelTypeSchema,
  labels: z.array(z.string()),
  encoding: z
    .record(z.string(), z.unknown())
    .meta({ description: 'how an input becomes tensors; its shape belongs to the kind' }),
  metrics: z.record(z.string(), z.number()),
  files: z.record(
    z.string().regex(/^[A-Za-z0-9_.-]+$/),
    z.object({ bytes: z.int().positive(), sha256: sha256Schema }),
  ),
  lineage: z.object({
    job_id: idSchema,
    dataset_sha256: sha256Schema,
    dataset_rows: z.int().positive(),
    parent_version: z.string().nullable(),
    code_sha256: sha256Schema,
    config: z.record(z.string(), z.unknown()),
    seed: z.int().nonnegative(),
  }),
});
export type ModelManifest = z.infer<typeof modelManifestSchema>;
