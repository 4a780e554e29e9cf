// The messages of the Open Inference Protocol v2, as far as they do not depend on the model.
import { sessionIdSchema } from '@jarvis/contracts';
import { z } from 'zod';

/** No kind has more tensors than this on a side. */
const TENSORS_MAX = 16;
const DIMENSIONS_MAX = 8;
const NAME_CHARS_MAX = 256;

const nameSchema = z.string().max(NAME_CHARS_MAX);
const shapeSchema = z.array(z.int().nonnegative()).min(1).max(DIMENSIONS_MAX);

const inputSchema = z.object({
  name: nameSchema,
  shape: shapeSchema,
  datatype: z.string().max(NAME_CHARS_MAX),
  parameters: z
    .object({
      binary_data_size: z.int().nonnegative().optional(),
      shared_memory_region: z.never().optional(),
    })
    .nullish(),
  data: z.array(z.unknown()).nullish().meta({
    description: 'row by row, flat or nested; without it the data follows the JSON (binary_data_size)',
  }),
});
export type RequestTensor = z.infer<typeof inputSchema>;

const requestedOutputSchema = z.object({
  name: nameSchema,
  parameters: z
    .object({
      binary_data: z.boolean().optional(),
      shared_memory_region: z.never().optional(),
      classification: z.never().optional(),
    })
    .nullish(),
});

export const inferRequestSchema = z
  .object({
    id: z.string().max(NAME_CHARS_MAX).nullish(),
    parameters: z
      .object({
        session_id: sessionIdSchema.optional().meta({
          description:
            'whose request this is: a session keeps its version during a rollout. Without it, `id`',
        }),
        binary_data_output: z.boolean().optional(),
      })
      .nullish(),
    inputs: z.array(inputSchema).min(1).max(TENSORS_MAX),
    outputs: z.array(requestedOutputSchema).max(TENSORS_MAX).nullish(),
  })
  .meta({ id: 'InferRequest' });
export type InferRequest = z.infer<typeof inferRequestSchema>;

export const inferResponseSchema = z
  .object({
    model_name: z.string(),
    model_version: z.string().meta({ description: 'the version that answered' }),
    id: z.string().optional(),
    outputs: z.array(
      z.object({
        name: z.string(),
        datatype: z.string(),
        shape: z.array(z.int()),
        parameters: z.object({ binary_data_size: z.int() }).optional(),
        data: z.array(z.union([z.string(), z.number()])).optional(),
      }),
    ),
  })
  .meta({ id: 'InferResponse' });
export type InferResponse = z.infer<typeof inferResponseSchema>;

export const serverMetadataSchema = z.object({
  name: z.string(),
  version: z.string(),
  extensions: z.array(z.string()),
});

const tensorMetadataSchema = z.object({ name: z.string(), datatype: z.string(), shape: z.array(z.int()) });
export const modelMetadataSchema = z.object({
  name: z.string(),
  versions: z.array(z.string()).meta({ description: 'those in memory, or parked' }),
  platform: z.string(),
  inputs: z.array(tensorMetadataSchema),
  outputs: z.array(tensorMetadataSchema),
});

export const indexRequestSchema = z
  .object({ ready: z.boolean().optional().meta({ description: 'true: only what is ready' }) })
  .nullish();
export const indexSchema = z.array(
  z.object({
    name: z.string(),
    version: z.string(),
    state: z.enum(['READY', 'LOADING', 'UNLOADING', 'UNAVAILABLE']),
    reason: z.string(),
  }),
);
export type IndexEntry = z.infer<typeof indexSchema>[number];
