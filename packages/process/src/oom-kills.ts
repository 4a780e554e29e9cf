// How often the kernel's out-of-memory killer has struck: in one cgroup, or anywhere on the machine; and how much a cgroup held
// at most, which tells whether that was for its own limit.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { thisSystem, type System } from './system.ts';

/** Kills in this group since it was made (v2: also in groups below it); null when the group is gone or does not tell. */
export async function readOomKills(groupFolder: string, system: System = thisSystem): Promise<number | null> {
  const folder = join(system.root, groupFolder);
  return (
    (await readCount(join(folder, 'memory.events'))) ?? (await readCount(join(folder, 'memory.oom_control')))
  );
}

/** Bytes; null when the group is gone or does not tell (v2: before Linux 5.19). */
export async function readGroupPeak(
  groupFolder: string,
  system: System = thisSystem,
): Promise<number | null> {
  const folder = join(system.root, groupFolder);
  for (const name of ['memory.peak', 'memory.max_usage_in_bytes']) {
    const bytes = Number.parseInt(await readFile(join(folder, name), 'utf8').catch(() => ''), 10);
    if (!Number.isNaN(bytes)) return bytes;
  }
  return null;
}

/** Kills since the machine started, those in groups included; null where the system does not tell. */
export async function readMachineOomKills(system: System = thisSystem): Promise<number | null> {
  return await readCount(`${system.root}/proc/vmstat`);
}

async function readCount(path: string): Promise<number | null> {
  const text = await readFile(path, 'utf8').catch(() => '');
  const count = /^oom_kill (\d+)$/m.exec(text)?.[1];
  return count === undefined ? null : Number(count);
}
