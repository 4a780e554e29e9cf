// Shapes of the names that cross a process. Strict, because several of them become file names.
import { z } from 'zod';

const MAX_ID_CHARS = 128;

/** A name chosen by a client: letters, digits, `_`, `.`, `:` and `-`; safe as a file name and as a URL segment. */
export const idSchema = z
  .string()
  .min(1)
  .max(MAX_ID_CHARS)
  .regex(/^[A-Za-z0-9][A-Za-z0-9_.:-]*$/, 'letters, digits, _ . : - only, starting with a letter or digit');

export const sha256Schema = z.string().regex(/^[0-9a-f]{64}$/, 'a SHA-256 in lower-case hexadecimal');
export const versionSchema = z.string().regex(/^v\d+\.\d+\.\d+$/, 'a version such as v1.2.3');

const MAX_ALIAS_CHARS = 64;
/** A name that points to a version of a kind. None of them looks like a version. */
export const aliasSchema = z
  .string()
  .max(MAX_ALIAS_CHARS)
  .regex(/^[a-z][a-z0-9_-]*$/, 'lower-case letters, digits, _ - only, starting with a letter');

/** A version by its number, or by an alias of it. */
export const versionNameSchema = z
  .string()
  .max(MAX_ALIAS_CHARS)
  .refine(
    (name) => versionSchema.safeParse(name).success || aliasSchema.safeParse(name).success,
    'a version such as v1.2.3, or an alias such as stable',
  );

/** Fencing token: grows with every grant of a lock, for ever; 2^53 - 1 at most. */
export const tokenSchema = z.int().positive();

/** Seconds since the epoch, with fraction, as the earlier contract has them. */
export const epochSecondsSchema = z.number().nonnegative();
export const timestampSchema = z.iso.datetime({ offset: true });
