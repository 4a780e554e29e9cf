// JARVIS_HOME: the folder of all state, readable by its owner only, and the id that all services of one home share.
import { chmod, link, mkdir, open, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

export interface Home {
  readonly folder: string;
  readonly homeId: string;
  readonly logs: string;
}

export type HomeErrorCode = 'home_read_only' | 'home_not_permitted' | 'home_disk_full' | 'home_unusable';

/** The home cannot be used; the message says what to do. */
export class HomeError extends Error {
  override readonly name = 'HomeError';
  readonly code: HomeErrorCode;
  constructor(code: HomeErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Makes what is missing and returns the home; safe when several services do it at once. Throws HomeError. */
export async function ensureHome(folder: string, newId: () => string): Promise<Home> {
  const logs = join(folder, 'logs');
  try {
    await makePrivate(folder);
    await makePrivate(logs);
    const homeId = (await readHomeId(folder)) ?? (await createHomeId(folder, newId));
    return { folder, homeId, logs };
  } catch (error) {
    throw asHomeError(error, folder);
  }
}

/** The id of a home; null when it has none yet. Makes nothing. Throws HomeError when the file holds something else. */
export async function readHomeId(folder: string): Promise<string | null> {
  const path = join(folder, 'home_id');
  let text: string;
  try {
    text = (await readFile(path, 'utf8')).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw asHomeError(error, folder);
  }
  if (!UUID.test(text))
    throw new HomeError(
      'home_unusable',
      `${path} does not hold an id but "${text.slice(0, 60)}": stop what runs on this home, remove that file and start again`,
    );
  return text;
}

async function makePrivate(folder: string): Promise<void> {
  if (await makeFolder(folder)) await chmod(folder, 0o700); // whatever the umask is
}

/** As mkdir's `recursive`, which never comes back where a folder is there and takes none (/proc). Answers whether it was missing. */
async function makeFolder(folder: string): Promise<boolean> {
  const parent = dirname(folder);
  try {
    return await makeOne(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || parent === folder) throw error;
  }
  await makeFolder(parent);
  return await makeOne(folder);
}

async function makeOne(folder: string): Promise<boolean> {
  try {
    await mkdir(folder, { mode: 0o700 });
    return true;
  } catch (error) {
    if (await isFolder(folder)) return false;
    throw error;
  }
}

async function isFolder(path: string): Promise<boolean> {
  return await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

/** The file appears under its name complete or not at all; of several writers one wins and all read the same. */
async function createHomeId(folder: string, newId: () => string): Promise<string> {
  const id = newId();
  const draft = join(folder, `home_id.${id}`);
  const path = join(folder, 'home_id');
  try {
    await writeFile(draft, `${id}\n`, { mode: 0o600, flag: 'wx' });
    await syncFile(draft);
    await link(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await rm(draft, { force: true });
  }
  const read = await readHomeId(folder);
  if (read === null) throw new HomeError('home_unusable', `${path} was removed while the home was made`);
  return read;
}

async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** What an error of the file system means for the home; other errors stay as they are. */
export function asHomeError(error: unknown, folder: string): unknown {
  if (error instanceof HomeError) return error;
  const { code } = error as NodeJS.ErrnoException;
  const make = (kind: HomeErrorCode, what: string) =>
    new HomeError(kind, `${folder}: ${what} (${String(code)})`, { cause: error });
  switch (code) {
    case 'EROFS':
      return make('home_read_only', 'the disk is read-only; set JARVIS_HOME to a folder that can be written');
    case 'EACCES':
    case 'EPERM':
      return make(
        'home_not_permitted',
        'it may not be written; give yourself the right, or set JARVIS_HOME to another folder',
      );
    case 'ENOSPC':
    case 'EDQUOT':
      return make('home_disk_full', 'the disk is full; make room, or set JARVIS_HOME to another disk');
    case 'ENOTDIR':
    case 'EEXIST':
      return make('home_unusable', 'a file is in the way; remove it, or set JARVIS_HOME to another folder');
    case 'ENOENT':
    case 'EINVAL':
      return make('home_unusable', 'no folder can be made there; set JARVIS_HOME to another one');
    default:
      return error;
  }
}
