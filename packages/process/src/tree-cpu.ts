// The time on processors of process trees, which rises while they work.
import { readFile } from 'node:fs/promises';
import { listProcesses, mapLimited } from './processes.ts';
import { thisSystem, type System } from './system.ts';
import { nearestRoots } from './tree-memory.ts';

/** USER_HZ, which Linux fixes for its interfaces. */
const TICKS_PER_SECOND = 100;

/** Milliseconds of all live processes below `roots`, in user mode and in the kernel; null where the system does not tell. */
export async function readTreesCpuMs(
  roots: readonly number[],
  system: System = thisSystem,
): Promise<number | null> {
  if (system.platform !== 'linux') return null;
  const owners = nearestRoots(await listProcesses(system), new Set(roots));
  const ticks = await mapLimited([...owners.keys()], (pid) => readTicks(pid, system));
  return (ticks.reduce((sum, t) => sum + t, 0) * 1000) / TICKS_PER_SECOND;
}

async function readTicks(pid: number, system: System): Promise<number> {
  const text = await readFile(`${system.root}/proc/${pid}/stat`, 'latin1').catch(() => null);
  return text === null ? 0 : parseTicks(text);
}

/** `utime` and `stime`, the 14th and 15th field; the name in parentheses, the 2nd, may hold spaces. */
export function parseTicks(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}
