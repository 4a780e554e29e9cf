// How much memory the LLM needs, from the best that is known to the least.
import { stat } from 'node:fs/promises';
import { BYTES_PER_GB, bytesOfGb } from '@jarvis/contracts';
import type { EngineLook } from './engine.ts';

/** Beside the weights: the cache of the context, buffers to compute in, the program. llama.cpp held 1.21 times a file of 769 MiB. */
const FILE_FACTOR = 1.25;
const NEED_DEFAULT_BYTES = 4 * BYTES_PER_GB;

export interface NeedOptions {
  /** JPRIME_LLM_MEMORY_GB. */
  readonly configuredGb: number | null;
  /** JPRIME_LLM_MODEL. */
  readonly modelFile: string | null;
  readonly lastMeasured: () => Promise<number | null>;
}

export async function needBytesOf(options: NeedOptions, look: EngineLook): Promise<number> {
  const { configuredGb, modelFile, lastMeasured } = options;
  if (configuredGb !== null) return bytesOfGb(configuredGb);
  const known = (await lastMeasured()) ?? look.statedBytes;
  if (known !== null && known > 0) return Math.ceil(known);
  const file = modelFile === null ? null : await stat(modelFile).catch(() => null);
  return file === null ? NEED_DEFAULT_BYTES : Math.ceil(file.size * FILE_FACTOR);
}
