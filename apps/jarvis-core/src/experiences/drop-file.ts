// One file of the drop folder: what it has to be, and the batch that it holds.
import type { Stats } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { CodedError, dropFileSchema, type Experience, MODEL_TYPE_OF_EXPERIENCE } from '@jarvis/contracts';

export const DROP_FILE_NAME = /^experiences_[a-z]+_\d+(\.\d+)?\.json$/;
export const DROP_FILE_BYTES_MAX = 64 * 1024 * 1024;
/** The file is there, and will not be readable at the next look either. */
const UNREADABLE: ReadonlySet<string> = new Set(['EACCES', 'EPERM', 'EISDIR', 'ELOOP']);

export interface FoundFile {
  readonly name: string;
  readonly path: string;
  /** Of the name itself: links are not followed. */
  readonly stats: Stats;
}

/** A file as it was read: its batch, or what is wrong with it. */
export interface ReadFile {
  readonly file: FoundFile;
  readonly batch: DroppedBatch | CodedError;
}

export interface DroppedBatch {
  readonly batchId: string;
  readonly experiences: readonly Experience[];
}

/** Throws only what another look may mend. */
export async function readDropFile(file: FoundFile): Promise<ReadFile> {
  try {
    return { file, batch: parseBatch(await readText(file)) };
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    return { file, batch: error };
  }
}

async function readText({ name, path, stats }: FoundFile): Promise<string> {
  if (!DROP_FILE_NAME.test(name))
    throw new CodedError('invalid_request', 'its name has to be experiences_<kind>_<epoch>.json');
  // A link is not followed: it would let whoever may write here read what this process may read.
  if (!stats.isFile()) throw new CodedError('path_not_allowed', 'it is a link or a folder, not a file');
  if (stats.size > DROP_FILE_BYTES_MAX)
    throw new CodedError('body_too_large', `the file is larger than ${DROP_FILE_BYTES_MAX} bytes`);
  return readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (!UNREADABLE.has(error.code ?? '')) throw error;
    throw new CodedError('invalid_request', `the file cannot be read: ${error.message}`);
  });
}

function parseBatch(text: string): DroppedBatch {
  const parsed = dropFileSchema.safeParse(parseJson(text));
  if (!parsed.success)
    throw new CodedError(
      'invalid_request',
      parsed.error.issues.map((i) => `${i.path.join('.')}: ${i.message}`).join('; '),
    );
  const { batch_id: batchId, model_type, experiences } = parsed.data;
  const foreign = experiences.findIndex((e) => MODEL_TYPE_OF_EXPERIENCE[e.type] !== model_type);
  if (foreign >= 0)
    throw new CodedError(
      'invalid_request',
      `experiences.${foreign}: its type does not belong to model_type ${model_type}`,
    );
  return { batchId, experiences };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new CodedError('malformed_json', `the file is not JSON: ${(error as Error).message}`);
  }
}
