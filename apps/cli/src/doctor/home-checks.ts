// The home as it lies on disk: whether it can be used, has room, and what a crash left in it. Works with nothing running.
import { access, constants, lstat, readdir, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { BYTES_PER_GB } from '@jarvis/contracts';
import { readHomeId } from '@jarvis/process';
import type { Config } from '@jarvis/runtime';
import { broken, type Check, fine, note } from './check.ts';

/** A few versions, checkpoints and days of logs. */
const FREE_BYTES_WANTED = BYTES_PER_GB;
/** Below this a store cannot be sure to commit. */
const FREE_BYTES_MIN = BYTES_PER_GB / 10;
/** A claimed file is stored within a second; one that is older was left by a crash, or cannot be stored. */
const CLAIMED_MS_MAX = 60_000;
/** What is written at this moment is left alone. */
const LEFTOVER_MS_MIN = 3_600_000;
const LEFTOVER = /(\.partial$|^\.partial-|^\.(incoming|outgoing)-)/;
const ENTRIES_MAX = 50_000;
const DEPTH_MAX = 6;
const OTHERS_MAY = 0o077;

export interface HomeSeen {
  readonly checks: Check[];
  /** null: there is no home, or it has no id that can be read. */
  readonly homeId: string | null;
}

export async function checkHome({ home, paths }: Config, nowMs: number): Promise<HomeSeen> {
  const found = await stat(home).catch(() => null);
  if (found === null) {
    const missing = note('home', `there is none at ${home} yet`, '`jarvis up` makes it');
    return { checks: [missing], homeId: null };
  }
  const { homeId, check } = await checkId(home);
  const checks = [
    await checkPermissions(home, found),
    check,
    await checkDisk(home),
    ...(await checkDropFolder(paths.drop, nowMs)),
    await checkLeftovers([paths.core, paths.prime, paths.reactor, paths.runs, paths.registry], nowMs),
  ];
  return { checks, homeId };
}

async function checkPermissions(home: string, found: { mode: number; uid: number }): Promise<Check> {
  const mayUse = await access(home, constants.R_OK | constants.W_OK | constants.X_OK).then(
    () => true,
    () => false,
  );
  if (!mayUse)
    return broken('home', `${home} may not be read and written by this user`, `chown it, or set JARVIS_HOME`);
  if ((found.mode & OTHERS_MAY) !== 0)
    return note('home', `${home} is open to other users of this machine`, `chmod 700 ${home}`);
  return fine('home', `${home} can be written, and is private`);
}

async function checkId(home: string): Promise<{ homeId: string | null; check: Check }> {
  try {
    const homeId = await readHomeId(home);
    const check =
      homeId === null ? note('home id', 'it has none yet', '`jarvis up` makes it') : fine('home id', homeId);
    return { homeId, check };
  } catch (error) {
    const todo = 'see the file home_id in the home';
    return { homeId: null, check: broken('home id', (error as Error).message, todo) };
  }
}

async function checkDisk(home: string): Promise<Check> {
  const { bavail, bsize } = await statfs(home);
  const free = bavail * bsize;
  const message = `${(free / BYTES_PER_GB).toFixed(1)} GB are free`;
  const todo = 'make room, or set JARVIS_HOME to another disk';
  if (free < FREE_BYTES_MIN) return broken('disk', message, todo);
  return free < FREE_BYTES_WANTED ? note('disk', message, todo) : fine('disk', message);
}

async function checkDropFolder(folder: string, nowMs: number): Promise<Check[]> {
  const checks: Check[] = [];
  const claimed = await olderThan(join(folder, '.claimed'), nowMs - CLAIMED_MS_MAX);
  if (claimed.length > 0)
    checks.push(
      note(
        'drop folder',
        `${claimed.length} files were claimed and are not stored yet, such as ${claimed[0]}`,
        'JARVIS Core takes them when it runs; if they stay, `jarvis logs jarvis-core` says why',
      ),
    );
  const rejected = (await readdir(join(folder, 'rejected')).catch(() => [])).filter(
    (name) => !name.endsWith('.reason.txt'),
  );
  if (rejected.length > 0)
    checks.push(
      note(
        'drop folder',
        `${rejected.length} files were set aside, such as ${rejected[0]}`,
        `see the .reason.txt beside each in ${join(folder, 'rejected')}; correct and drop them again, or remove them`,
      ),
    );
  return checks.length > 0 ? checks : [fine('drop folder', 'nothing is stuck or set aside')];
}

async function checkLeftovers(roots: readonly string[], nowMs: number): Promise<Check> {
  const found = await findLeftovers([...new Set(roots)], nowMs - LEFTOVER_MS_MIN);
  if (found.length === 0) return fine('leftovers', 'no half-written files lie about');
  return note(
    'leftovers',
    `${found.length} half-written files lie about, such as ${found[0]}`,
    'a crash left them; with nothing running they may be removed',
  );
}

/** Names of entries that last changed before `beforeMs`. */
async function olderThan(folder: string, beforeMs: number): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  const aged = await Promise.all(names.map(async (name) => isOlder(join(folder, name), beforeMs)));
  return names.filter((_, i) => aged[i]);
}

async function isOlder(path: string, beforeMs: number): Promise<boolean> {
  return lstat(path).then(
    (found) => found.mtimeMs < beforeMs,
    () => false,
  );
}

async function findLeftovers(roots: readonly string[], beforeMs: number): Promise<string[]> {
  const found = new Set<string>();
  const queue = roots.map((folder) => ({ folder, depth: 0 }));
  let entries = 0;
  for (let next = queue.shift(); next !== undefined && entries < ENTRIES_MAX; next = queue.shift()) {
    const { folder, depth } = next;
    for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
      entries += 1;
      const path = join(folder, entry.name);
      if (LEFTOVER.test(entry.name)) {
        if (await isOlder(path, beforeMs)) found.add(path);
      } else if (entry.isDirectory() && depth < DEPTH_MAX) queue.push({ folder: path, depth: depth + 1 });
    }
  }
  return [...found];
}
