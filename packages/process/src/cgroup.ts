// Where this process stands among the memory cgroups (v1 or v2), and the limit that a container or a systemd slice puts
// on it. A limit anywhere between our group and the root of the mount holds for us too; the tightest one counts.
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { System } from './system.ts';

export interface CgroupMemory {
  readonly version: 1 | 2;
  readonly limit_bytes: number;
  /** What the group uses, without the inactive page cache, which the kernel drops before it kills. */
  readonly used_bytes: number;
}

interface Layout {
  readonly version: 1 | 2;
  readonly limit: string;
  readonly usage: string;
  readonly inactive: RegExp;
}
const V1: Layout = {
  version: 1,
  limit: 'memory.limit_in_bytes',
  usage: 'memory.usage_in_bytes',
  inactive: /^total_inactive_file (\d+)/m,
};
const V2: Layout = {
  version: 2,
  limit: 'memory.max',
  usage: 'memory.current',
  inactive: /^inactive_file (\d+)/m,
};
/** v1 writes "no limit" as the largest multiple of a page below 2^63. */
const unlimitedBytes = 2 ** 60;

export interface CgroupPlace {
  readonly version: 1 | 2;
  /** Our group's folder and those above it, up to the mount; without the system's root before them. */
  readonly folders: readonly string[];
}

/** The tightest limit that holds for this process; null when there is none. */
export async function readCgroupMemory(system: System): Promise<CgroupMemory | null> {
  const place = await findMemoryCgroup(system);
  if (place === null) return null;
  let tightest: CgroupMemory | null = null;
  for (const folder of place.folders) {
    const level = await readLevel(folder, place.version === 1 ? V1 : V2, system);
    if (level !== null && (tightest === null || level.limit_bytes < tightest.limit_bytes)) tightest = level;
  }
  return tightest;
}

async function readLevel(folder: string, layout: Layout, system: System): Promise<CgroupMemory | null> {
  const read = (name: string) => readFile(join(system.root, folder, name), 'utf8').catch(() => '');
  const [limit, usage, stat] = await Promise.all([
    read(layout.limit),
    read(layout.usage),
    read('memory.stat'),
  ]);
  const limitBytes = Number.parseInt(limit, 10); // "max" is NaN
  const usageBytes = Number.parseInt(usage, 10);
  if (!(limitBytes < unlimitedBytes) || Number.isNaN(usageBytes)) return null;
  const inactiveBytes = Number(layout.inactive.exec(stat)?.[1] ?? 0);
  return {
    version: layout.version,
    limit_bytes: limitBytes,
    used_bytes: Math.max(0, usageBytes - inactiveBytes),
  };
}

/** Hybrid systems have both versions: the one that has the memory controller counts. Null where there are no cgroups. */
export async function findMemoryCgroup(system: System): Promise<CgroupPlace | null> {
  const [groups, mounts] = await Promise.all(
    ['cgroup', 'mountinfo'].map((name) =>
      readFile(`${system.root}/proc/self/${name}`, 'utf8').catch(() => ''),
    ),
  );
  const v1 = /^\d+:(?:[^:\n]*,)?memory(?:,[^:\n]*)?:(.*)$/m.exec(groups ?? '')?.[1];
  const v2 = /^0::(.*)$/m.exec(groups ?? '')?.[1];
  const layout = v1 === undefined ? V2 : V1;
  const path = v1 ?? v2;
  if (path === undefined) return null;
  for (const line of (mounts ?? '').split('\n')) {
    const [before = '', after = ''] = line.split(' - ');
    const [, , , root = '', point = ''] = before.split(' ');
    const [type, , options = ''] = after.split(' ');
    const fits =
      layout === V2 ? type === 'cgroup2' : type === 'cgroup' && options.split(',').includes('memory');
    if (fits) return { version: layout.version, folders: foldersUp(point, belowRoot(path, root)) };
  }
  return null;
}

/** In a container the mount shows only a part of the hierarchy, from `root` on, while the group's path may still name all of it. */
function belowRoot(path: string, root: string): string {
  if (root === '/') return path;
  return path === root || path.startsWith(`${root}/`) ? path.slice(root.length) || '/' : '/';
}

function foldersUp(point: string, path: string): string[] {
  const folders: string[] = [];
  for (let at = join('/', path); ; at = dirname(at)) {
    folders.push(join(point, at));
    if (at === '/') return folders;
  }
}
