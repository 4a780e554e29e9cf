// The drop folder: files are claimed by rename, stored once, and removed; what cannot be read is set aside with the reason.
// Names that do not end in .json, or begin with a dot, are somebody's who writes first and renames then: left alone.
//
//   events/experiences_nlu_1700000000.json -> events/.claimed/… -> stored -> removed
//                                                               -> events/rejected/… + ….reason.txt
//
// There may be a million of them: the folder is read as a stream, some files at a look, and the next look reads on where
// the last one stopped. Nothing is remembered of files that were seen.
import type { Dir, Stats } from 'node:fs';
import { lstat, mkdir, opendir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CodedError } from '@jarvis/contracts';
import { durably } from '@jarvis/failpoints';
import { type Clock, type Logger, type Loop, type Meter, startLoop } from '@jarvis/runtime';
import type { Database } from '@jarvis/store';
import { DROP_FILE_BYTES_MAX, DROP_FILE_NAME, type FoundFile, readDropFile } from './drop-file.ts';
import { storeDropped } from './dropped-batches.ts';

/** Files of one look, claimed and read beside each other. */
const FILES_AT_ONCE_MAX = 128;
/** Of all files that are in memory at once; a larger one is read alone. */
const BYTES_AT_ONCE_MAX = 8 * 1024 * 1024;
/** Names of one look, most of them of files that are left alone. */
const NAMES_PER_LOOK_MAX = 100_000;
const NAMES_PER_READ = 1_024;
/** A file that is not whole JSON may still be written; it is given this long after its last change. */
const WRITING_GRACE_MS = 2_000;
/** Files of one name that can be set aside beside each other. */
const SAME_NAME_MAX = 1_000;

export interface DropFolderOptions {
  readonly folder: string;
  readonly db: Database;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly meter: Meter;
  readonly intervalMs: number;
}

export function watchDropFolder(options: DropFolderOptions): Loop {
  const folder = new DropFolder(options);
  const loop = startLoop({
    name: 'drop folder',
    intervalMs: options.intervalMs,
    clock: options.clock,
    logger: options.logger,
    // Between two looks everybody else has a turn; a look that took nothing is followed by a pause.
    run: async () => {
      if (await folder.look()) loop.wake();
    },
  });
  return {
    wake: () => loop.wake(),
    stop: async () => {
      await loop.stop();
      await folder.close();
    },
  };
}

class DropFolder {
  readonly #options: DropFolderOptions;
  readonly #claimed: string;
  /** Where a pass through the folder has come to; null between two passes. */
  #pass: Dir | null = null;

  constructor(options: DropFolderOptions) {
    this.#options = options;
    this.#claimed = join(options.folder, '.claimed');
  }

  /** Takes some files; true when it did, and there may be more. Throws only what another look may mend: the disk is full, say. */
  async look(): Promise<boolean> {
    await mkdir(this.#claimed, { recursive: true, mode: 0o700 });
    // What an earlier look or process claimed and did not finish comes first; so no claim meets a file of its name.
    const left = await this.#findLeft();
    const files = left.length > 0 ? left : await this.#claimNext();
    for (const group of groupsOf(files)) await this.#take(group);
    return files.length > 0;
  }

  async close(): Promise<void> {
    const pass = this.#pass;
    this.#pass = null;
    await pass?.close();
  }

  async #findLeft(): Promise<FoundFile[]> {
    const names: string[] = [];
    for await (const { name } of await opendir(this.#claimed)) {
      names.push(name);
      if (names.length === FILES_AT_ONCE_MAX) break;
    }
    return find(this.#claimed, names);
  }

  async #claimNext(): Promise<FoundFile[]> {
    const { folder } = this.#options;
    const whole: string[] = [];
    for (const file of await find(folder, await this.#nextNames()))
      if (!(await this.#isBeingWritten(file))) whole.push(file.name);
    await Promise.all(whole.map((name) => this.#claim(name)));
    return find(this.#claimed, whole);
  }

  async #claim(name: string): Promise<void> {
    try {
      await durably('core.drop.claim', () =>
        rename(join(this.#options.folder, name), join(this.#claimed, name)),
      );
    } catch (error) {
      // Whoever dropped it may have taken it away again.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }

  /** Names that the pass comes to next; at its end, fewer or none. */
  async #nextNames(): Promise<string[]> {
    this.#pass ??= await opendir(this.#options.folder, { bufferSize: NAMES_PER_READ });
    const names: string[] = [];
    for (let seen = 0; seen < NAMES_PER_LOOK_MAX && names.length < FILES_AT_ONCE_MAX; seen += 1) {
      const entry = await this.#pass.read();
      if (entry === null) {
        await this.close();
        return names;
      }
      if (entry.name.endsWith('.json') && !entry.name.startsWith('.')) names.push(entry.name);
    }
    return names;
  }

  async #isBeingWritten({ name, path, stats }: FoundFile): Promise<boolean> {
    if (!stats.isFile() || stats.size > DROP_FILE_BYTES_MAX) return false;
    // A file from the future (another machine's clock) is not waited for.
    if (Math.abs(this.#options.clock.now() - stats.mtimeMs) > WRITING_GRACE_MS) return false;
    if (!DROP_FILE_NAME.test(name)) return true;
    try {
      JSON.parse(await readFile(path, 'utf8'));
      return false;
    } catch {
      return true;
    }
  }

  /** Stores claimed files, or sets aside what cannot be stored. */
  async #take(files: readonly FoundFile[]): Promise<void> {
    const { db, clock, logger, meter } = this.#options;
    const read = await Promise.all(files.map(readDropFile));
    const { stored, news, refused } = await storeDropped(db, read, clock.now());
    const taken = files.filter((file) => !refused.has(file));
    await Promise.all(taken.map(({ path }) => durably('core.drop.remove', () => rm(path))));
    for (const file of taken)
      meter.count('jarvis_drop_files_total', { outcome: news.has(file) ? 'taken' : 'repeated' });
    if (taken.length > 0)
      logger.info(
        { files: taken.length, last: taken.at(-1)?.name, stored },
        'experiences taken from the drop folder',
      );
    for (const [file, why] of refused) await this.#setAside(file, why);
  }

  async #setAside({ name, path }: FoundFile, why: CodedError): Promise<void> {
    const rejected = join(this.#options.folder, 'rejected');
    await mkdir(rejected, { recursive: true, mode: 0o700 });
    const free = await freeName(rejected, name);
    await writeFile(join(rejected, `${free}.reason.txt`), `${why.code}: ${why.message}\n`, { mode: 0o600 });
    await durably('core.drop.set_aside', () => rename(path, join(rejected, free)));
    this.#options.meter.count('jarvis_drop_files_total', { outcome: 'rejected' });
    this.#options.logger.warn({ file: name, code: why.code }, `set aside in rejected/: ${why.message}`);
  }
}

/** Those that are still there. */
async function find(folder: string, names: readonly string[]): Promise<FoundFile[]> {
  const found = await Promise.all(
    names.map(async (name) => {
      const path = join(folder, name);
      const stats: Stats | null = await lstat(path).catch(() => null);
      return stats === null ? [] : [{ name, path, stats }];
    }),
  );
  return found.flat();
}

/** In order, so many bytes together as may be in memory. */
function groupsOf(files: readonly FoundFile[]): FoundFile[][] {
  const groups: FoundFile[][] = [];
  let bytes = Infinity;
  for (const file of files) {
    bytes += file.stats.size;
    if (bytes > BYTES_AT_ONCE_MAX) {
      groups.push([]);
      bytes = file.stats.size;
    }
    groups.at(-1)?.push(file);
  }
  return groups;
}

/** Two files of one name are both kept. */
async function freeName(folder: string, name: string): Promise<string> {
  for (let n = 0; n < SAME_NAME_MAX; n += 1) {
    const candidate = n === 0 ? name : `${name}.${n}`;
    if ((await find(folder, [candidate])).length === 0) return candidate;
  }
  throw new Error(`${folder} has ${SAME_NAME_MAX} files of the name ${name}: clear it`);
}
