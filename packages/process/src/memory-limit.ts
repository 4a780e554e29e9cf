// A hard limit on the memory of a child and of all that it starts: a cgroup of its own below ours, which the child enters
// before it executes its program (spawn.ts). Without one the child runs unlimited, and the answer says why.
//
//   v1   <our group>/<name>                      memory.limit_in_bytes, and memory.memsw.limit_in_bytes for swap
//   v2   <our group, or one above that is        memory.max, memory.swap.max, memory.oom.group
//        delegated to us>/<name>
//
// In v2 a group with processes of its own has no controllers for groups below it, and we are in ours. So a place is only
// where `memory` is handed down already, and where the folder belongs to our user: that is what delegation is. Root owns
// every folder, those that another manager (systemd) cares for too: for root only our own group counts.
import { mkdir, readdir, readFile, rmdir, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type CgroupPlace, findMemoryCgroup } from './cgroup.ts';
import { signalProcess } from './spawn.ts';
import { thisSystem, type System } from './system.ts';
import { systemTiming, type Timing } from './timing.ts';

export const MEMORY_LIMIT_WAYS = ['cgroup v1', 'cgroup v2', 'none'] as const;
export type MemoryLimitWay = (typeof MEMORY_LIMIT_WAYS)[number];

export interface MemoryLimit {
  readonly way: MemoryLimitWay;
  readonly limit_bytes: number;
  /** Why there is none, or what the limit does not hold. */
  readonly detail: string;
  /** The group's folder; null without one. */
  readonly group: string | null;
}

/** Killed processes leave their group within milliseconds of each other; a dead disk may hold one for longer. */
const emptyTriesMax = 50;
const emptyPollMs = 20;
/** The kernel rounds a limit to pages. */
const roundingBytesMax = 64 * 1024;
const ROOT_UID = 0;

/** Makes the group `name` with this limit, and tries that a process can enter it. Never rejects. */
export async function makeMemoryLimit(
  name: string,
  limitBytes: number,
  system: System = thisSystem,
): Promise<MemoryLimit> {
  const none = (detail: string): MemoryLimit => ({
    way: 'none',
    limit_bytes: limitBytes,
    detail,
    group: null,
  });
  const place = await findMemoryCgroup(system);
  if (place === null) return none('this system has no memory cgroups');
  const parents = await placesFor(place, system);
  let detail = 'no cgroup that may be used hands the memory controller down';
  for (const parent of parents) {
    const group = join(parent, name);
    try {
      const swap = await makeGroup(join(system.root, group), place.version, limitBytes);
      await system.runCommand('sh', ['-c', 'echo $$ > "$1"', 'sh', join(system.root, group, 'cgroup.procs')]);
      return { way: `cgroup v${place.version}`, limit_bytes: limitBytes, detail: swap, group };
    } catch (error) {
      detail = `${group}: ${(error as Error).message}`;
      await rmdir(join(system.root, group)).catch(() => undefined);
    }
  }
  return none(detail);
}

/** Answers what the limit does not hold; '' when it holds all. */
async function makeGroup(folder: string, version: 1 | 2, limitBytes: number): Promise<string> {
  // What is left of an earlier try would bring its counters along.
  await rmdir(folder).catch(() => undefined);
  await mkdir(folder);
  const limit = join(folder, version === 1 ? 'memory.limit_in_bytes' : 'memory.max');
  await writeFile(limit, String(limitBytes));
  const set = Number(await readFile(limit, 'utf8'));
  if (!(Math.abs(set - limitBytes) <= roundingBytesMax)) throw new Error(`the limit reads ${set}`);
  if (version === 2) await writeFile(join(folder, 'memory.oom.group'), '1');
  const [swapFile, swapBytes] =
    version === 1 ? ['memory.memsw.limit_in_bytes', limitBytes] : ['memory.swap.max', 0];
  try {
    await writeFile(join(folder, swapFile), String(swapBytes), { flag: 'r+' });
    return '';
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return 'the kernel does not count swap: it is not limited';
  }
}

async function placesFor({ version, folders }: CgroupPlace, system: System): Promise<string[]> {
  const own = folders.slice(0, 1);
  if (version === 1) return own;
  const uid = (await stat(`${system.root}/proc/self`)).uid;
  const candidates = uid === ROOT_UID ? own : folders;
  const usable = await Promise.all(
    candidates.map(async (folder) => {
      const handsDown = await readFile(join(system.root, folder, 'cgroup.subtree_control'), 'utf8').catch(
        () => '',
      );
      if (!handsDown.split(/\s/).includes('memory')) return false;
      return (await stat(join(system.root, folder))).uid === uid;
    }),
  );
  return candidates.filter((_, i) => usable[i]);
}

/** The groups whose name begins so, where `makeMemoryLimit` would make one now. */
export async function findMemoryGroups(prefix: string, system: System = thisSystem): Promise<string[]> {
  const place = await findMemoryCgroup(system);
  if (place === null) return [];
  const found: string[] = [];
  for (const parent of await placesFor(place, system))
    for (const name of await readdir(join(system.root, parent)).catch(() => []))
      if (name.startsWith(prefix)) found.push(join(parent, name));
  return found;
}

/**
 * Removes a group, once who is left in it is killed: to be called when its trainer is gone. One whose name does not begin
 * with `prefix` is not ours and stays. False when it could not be removed.
 */
export async function removeMemoryGroup(
  group: string,
  prefix: string,
  { timing = systemTiming, system = thisSystem }: { timing?: Timing; system?: System } = {},
): Promise<boolean> {
  if (!basename(group).startsWith(prefix)) return false;
  const folder = join(system.root, group);
  for (let tries = 0; tries < emptyTriesMax; tries++) {
    try {
      await rmdir(folder);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return true;
    }
    const pids = await readFile(join(folder, 'cgroup.procs'), 'utf8').catch(() => '');
    for (const pid of pids.split('\n').filter((line) => line !== '')) signalProcess(Number(pid), 'SIGKILL');
    await timing.sleep(emptyPollMs);
  }
  return false;
}
