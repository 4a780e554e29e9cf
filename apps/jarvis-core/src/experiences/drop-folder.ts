// The drop folder: files are claimed by rename, stored once, and removed; what cannot be read is set aside with the reason.
// Names that do not end in .json, or begin with a dot, are somebody's who writes first and renames then: left alone.
//
//   events/experiences_nlu_1700000000.json -> events/.claimed/… -> stored -> removed
//                                                               -> events/rejected/… + ….reason.txt
import { lstat, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  CodedError,
  dropFileSchema,
  MAX_EXPERIENCES_PER_BATCH,
  MODEL_TYPE_OF_EXPERIENCE,
} from '@jarvis/contracts';
import { durably } from '@jarvis/failpoints';
import { type Clock, type Logger, type Loop, type Meter, startLoop } from '@jarvis/runtime';
import type { Database } from '@jarvis/store';
import { storeBatch } from '../store/experiences.ts';

const FILE_NAME = /^experiences_[a-z]+_\d+(\.\d+)?\.json$/;
const FILES_PER_LOOK_MAX = 1_000;
const FILE_BYTES_MAX = 64 * 1024 * 1024;
/** A file that is not whole JSON may still be written; it is given this long after its last change. */
const WRITING_GRACE_MS = 2_000;
/** Files of one name that can be set aside beside each other. */
const SAME_NAME_MAX = 1_000;
/** The file is there, and will not be readable at the next look either. */
const UNREADABLE: ReadonlySet<string> = new Set(['EACCES', 'EPERM', 'EISDIR', 'ELOOP']);

export interface DropFolderOptions {
  readonly folder: string;
  readonly db: Database;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly meter: Meter;
  readonly intervalMs: number;
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

async function takeDroppedFiles(options: DropFolderOptions): Promise<void> {
  const claimed = join(options.folder, '.claimed');
  await mkdir(claimed, { recursive: true, mode: 0o700 });
  // What an earlier process claimed and did not finish comes first.
  for (const name of await readdir(claimed)) await take(options, claimed, name);
  const names = (await readdir(options.folder))
    .filter((n) => n.endsWith('.json') && !n.startsWith('.'))
    .sort();
  for (const name of names.slice(0, FILES_PER_LOOK_MAX)) {
    if ((await isBeingWritten(options, name)) || (await exists(join(claimed, name)))) continue;
    await durably('core.drop.claim', () => rename(join(options.folder, name), join(claimed, name)));
    await take(options, claimed, name);
  }
}

/** Also true of a file that is gone again: there is nothing to take now. */
async function isBeingWritten({ folder, clock }: DropFolderOptions, name: string): Promise<boolean> {
  const path = join(folder, name);
  const found = await lstat(path).catch(() => null);
  if (found === null) return true;
  if (!found.isFile()) return false;
  // A file from the future (another machine's clock) is not waited for.
  if (Math.abs(clock.now() - found.mtimeMs) > WRITING_GRACE_MS || found.size > FILE_BYTES_MAX) return false;
  if (!FILE_NAME.test(name)) return true;
  try {
    JSON.parse(await readFile(path, 'utf8'));
    return false;
  } catch {
    return true;
  }
}

/** Stores a claimed file or sets it aside. Throws only what another look may mend: the disk is full, say. */
async function take(options: DropFolderOptions, folder: string, name: string): Promise<void> {
  const path = join(folder, name);
  try {
    const stored = await store(options, path, name);
    await durably('core.drop.remove', () => rm(path));
    options.meter.count('jarvis_drop_files_total', { outcome: stored > 0 ? 'taken' : 'repeated' });
    options.logger.info(
      { file: name, stored },
      stored > 0 ? 'experiences taken from the drop folder' : 'this batch was stored before',
    );
  } catch (error) {
    if (!(error instanceof CodedError) || error.code === 'storage_full') throw error;
    await setAside(options, path, name, error);
  }
}

async function readDropped(path: string, name: string): Promise<string> {
  if (!FILE_NAME.test(name))
    throw new CodedError('invalid_request', 'its name has to be experiences_<kind>_<epoch>.json');
  const found = await lstat(path);
  // A link is not followed: it would let whoever may write here read what this process may read.
  if (!found.isFile()) throw new CodedError('path_not_allowed', 'it is a link or a folder, not a file');
  if (found.size > FILE_BYTES_MAX)
    throw new CodedError('body_too_large', `the file is larger than ${FILE_BYTES_MAX} bytes`);
  return readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (!UNREADABLE.has(error.code ?? '')) throw error;
    throw new CodedError('invalid_request', `the file cannot be read: ${error.message}`);
  });
}

async function store(options: DropFolderOptions, path: string, name: string): Promise<number> {
  const parsed = dropFileSchema.safeParse(parseJson(await readDropped(path, name)));
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
    const result = await options.db.transaction('core.experiences.drop', (tx) =>
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
  const free = await freeName(rejected, name);
  await writeFile(join(rejected, `${free}.reason.txt`), `${why.code}: ${why.message}\n`, { mode: 0o600 });
  await durably('core.drop.set_aside', () => rename(path, join(rejected, free)));
  options.meter.count('jarvis_drop_files_total', { outcome: 'rejected' });
  options.logger.warn({ file: name, code: why.code }, `set aside in rejected/: ${why.message}`);
}

/** Two files of one name are both kept. */
async function freeName(folder: string, name: string): Promise<string> {
  for (let n = 0; n < SAME_NAME_MAX; n += 1) {
    const candidate = n === 0 ? name : `${name}.${n}`;
    if (!(await exists(join(folder, candidate)))) return candidate;
  }
  throw new Error(`${folder} has ${SAME_NAME_MAX} files of the name ${name}: clear it`);
}

function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}
