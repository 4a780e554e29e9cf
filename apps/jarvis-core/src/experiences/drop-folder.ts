// The drop folder: files are claimed by rename, stored once, and removed; what cannot be read is set aside with the reason.
//
//   events/experiences_nlu_1700000000.json -> events/.claimed/… -> stored -> removed
//                                                               -> events/rejected/… + ….reason.txt
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  CodedError,
  dropFileSchema,
  MAX_EXPERIENCES_PER_BATCH,
  MODEL_TYPE_OF_EXPERIENCE,
} from '@jarvis/contracts';
import { type Clock, type Logger, type Loop, startLoop } from '@jarvis/runtime';
import type { Database } from '@jarvis/store';
import { storeBatch } from '../store/experiences.ts';

const FILE_NAME = /^experiences_[a-z]+_\d+(\.\d+)?\.json$/;
const FILES_PER_LOOK_MAX = 1_000;
const FILE_BYTES_MAX = 64 * 1024 * 1024;
/** A file that is not whole JSON may still be written; it is given this long after its last change. */
const WRITING_GRACE_MS = 2_000;

export interface DropFolderOptions {
  readonly folder: string;
  readonly db: Database;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly intervalMs: number;
  readonly onStored: () => void;
}

export function watchDropFolder(options: DropFolderOptions): Loop {
  return startLoop({
    name: 'drop folder',
    intervalMs: options.intervalMs,
    clock: options.clock,
    logger: options.logger,
    run: () => takeDroppedFiles(options),
  });
}

export async function takeDroppedFiles(options: DropFolderOptions): Promise<void> {
  const claimed = join(options.folder, '.claimed');
  await mkdir(claimed, { recursive: true, mode: 0o700 });
  // What an earlier process claimed and did not finish comes first.
  for (const name of await readdir(claimed)) await take(options, join(claimed, name), name);
  const names = (await readdir(options.folder)).filter((n) => FILE_NAME.test(n)).sort();
  for (const name of names.slice(0, FILES_PER_LOOK_MAX)) {
    if (await isBeingWritten(options, join(options.folder, name))) continue;
    await rename(join(options.folder, name), join(claimed, name));
    await take(options, join(claimed, name), name);
  }
}

async function isBeingWritten(options: DropFolderOptions, path: string): Promise<boolean> {
  const { mtimeMs, size } = await stat(path);
  if (options.clock.now() - mtimeMs > WRITING_GRACE_MS || size > FILE_BYTES_MAX) return false;
  try {
    JSON.parse(await readFile(path, 'utf8'));
    return false;
  } catch {
    return true;
  }
}

async function take(options: DropFolderOptions, path: string, name: string): Promise<void> {
  try {
    const stored = await store(options, path);
    await rm(path);
    if (stored > 0) options.onStored();
    options.logger.info(
      { file: name, stored },
      stored > 0 ? 'experiences taken from the drop folder' : 'this batch was stored before',
    );
  } catch (error) {
    if (!(error instanceof CodedError) || error.code === 'storage_full') throw error;
    await setAside(options, path, name, error);
  }
}

async function store(options: DropFolderOptions, path: string): Promise<number> {
  if ((await stat(path)).size > FILE_BYTES_MAX)
    throw new CodedError('body_too_large', `the file is larger than ${FILE_BYTES_MAX} bytes`);
  const parsed = dropFileSchema.safeParse(parseJson(await readFile(path, 'utf8')));
  if (!parsed.success)
    throw new CodedError(
      'invalid_request',
      parsed.error.issues.map((i) => `${i.path.join('.')}: ${i.message}`).join('; '),
    );
  const { batch_id, model_type, experiences } = parsed.data;
  const foreign = experiences.findIndex((e) => MODEL_TYPE_OF_EXPERIENCE[e.type] !== model_type);
  if (foreign >= 0)
    throw new CodedError(
      'invalid_request',
      `experiences.${foreign}: its type does not belong to model_type ${model_type}`,
    );
  let stored = 0;
  for (let from = 0; from < experiences.length; from += MAX_EXPERIENCES_PER_BATCH) {
    const part = experiences.slice(from, from + MAX_EXPERIENCES_PER_BATCH);
    const batchId = from === 0 ? batch_id : `${batch_id}:${from}`;
    const result = await options.db.transaction((tx) =>
      storeBatch(tx, { batchId, source: 'drop_folder', experiences: part, nowMs: options.clock.now() }),
    );
    if (!result.repeated) stored += result.stored;
  }
  return stored;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new CodedError('malformed_json', `the file is not JSON: ${(error as Error).message}`);
  }
}

async function setAside(
  options: DropFolderOptions,
  path: string,
  name: string,
  why: CodedError,
): Promise<void> {
  const rejected = join(options.folder, 'rejected');
  await mkdir(rejected, { recursive: true, mode: 0o700 });
  await writeFile(join(rejected, `${name}.reason.txt`), `${why.code}: ${why.message}\n`, { mode: 0o600 });
  await rename(path, join(rejected, name));
  options.logger.warn({ file: name, code: why.code }, `set aside in rejected/: ${why.message}`);
}
