// The `encoding` of an nlu model in model.json: all that the server must know beyond the two files.
import { z } from 'zod';

/** Names the normalisation, the n-grams and the hash. Another way to make features is another name. */
export const NLU_SCHEME = 'hashed-ngrams-1';
export const GRAPH_FILE = 'model.onnx';
export const VOCABULARY_FILE = 'vocabulary.bin';

export const nluEncodingSchema = z.object({
  scheme: z.literal(NLU_SCHEME),
  features: z.int().nonnegative(),
  /** Inverse document frequency of a feature that was never seen: it weighs in the norm, and so lowers confidence. */
  unknown_idf: z.number().nonnegative(),
  /** An answer less probable than this is `oos`. */
  oos_threshold: z.number().min(0).max(1),
});
export type NluEncoding = z.infer<typeof nluEncodingSchema>;
