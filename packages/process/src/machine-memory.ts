// How much memory the machine (or the container we are in) has and uses.
// Page cache counts as available. MemAvailable hardly sees a memory-mapped model and lags by a second after an exit:
// admit by the processes' own figures (tree-memory.ts), and take these for what others use.
import { readFile } from 'node:fs/promises';
import { freemem, totalmem } from 'node:os';
import { readCgroupMemory } from './cgroup.ts';
import { thisSystem, type System } from './system.ts';

export interface MachineMemory {
  /** Physical memory, or the cgroup's limit where that is lower. */
  readonly total_bytes: number;
  /** In use, page cache that can be dropped not counted. With a cgroup limit: in use by the group. */
  readonly used_bytes: number;
  /** What could still be taken: never more than the machine itself has left. */
  readonly available_bytes: number;
  readonly swap_used_bytes: number;
  readonly limited_by: 'machine' | 'cgroup v1' | 'cgroup v2';
}

/** Measures now. On systems other than Linux and macOS the figures are those of `os`. */
export async function readMachineMemory(system: System = thisSystem): Promise<MachineMemory> {
  if (system.platform === 'darwin') return await readDarwin(system);
  if (system.platform !== 'linux') {
    const total = totalmem();
    return machine(total, freemem(), 0);
  }
  const meminfo = parseMeminfo(await readFile(`${system.root}/proc/meminfo`, 'utf8'));
  const whole = machine(meminfo.total, meminfo.available, meminfo.swapUsed);
  const cgroup = await readCgroupMemory(system);
  if (cgroup === null || cgroup.limit_bytes >= whole.total_bytes) return whole;
  return {
    total_bytes: cgroup.limit_bytes,
    used_bytes: cgroup.used_bytes,
    available_bytes: Math.min(Math.max(0, cgroup.limit_bytes - cgroup.used_bytes), whole.available_bytes),
    swap_used_bytes: whole.swap_used_bytes,
    limited_by: cgroup.version === 1 ? 'cgroup v1' : 'cgroup v2',
  };
}

function machine(total: number, available: number, swapUsed: number): MachineMemory {
  return {
    total_bytes: total,
    used_bytes: total - available,
    available_bytes: available,
    swap_used_bytes: swapUsed,
    limited_by: 'machine',
  };
}

function parseMeminfo(text: string): { total: number; available: number; swapUsed: number } {
  const bytes = (name: string): number | null => {
    const found = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1];
    return found === undefined ? null : Number(found) * 1024;
  };
  const total = bytes('MemTotal');
  if (total === null) throw new Error('/proc/meminfo has no MemTotal');
  // Kernels before 3.14 have no MemAvailable; free and cached memory together come near it.
  const available = bytes('MemAvailable') ?? (bytes('MemFree') ?? 0) + (bytes('Cached') ?? 0);
  return { total, available, swapUsed: (bytes('SwapTotal') ?? 0) - (bytes('SwapFree') ?? 0) };
}

/** Used as Activity Monitor counts it: anonymous pages that cannot be purged, wired ones, and the compressor's. */
async function readDarwin(system: System): Promise<MachineMemory> {
  const [size, statistics, swap] = await Promise.all([
    system.runCommand('sysctl', ['-n', 'hw.memsize']),
    system.runCommand('vm_stat', []),
    system.runCommand('sysctl', ['-n', 'vm.swapusage']).catch(() => ''),
  ]);
  const pageBytes = Number(/page size of (\d+) bytes/.exec(statistics)?.[1] ?? 4096);
  const pages = (name: string) =>
    Number(new RegExp(`^"?${name}"?:\\s+(\\d+)\\.`, 'm').exec(statistics)?.[1] ?? 0);
  const usedPages =
    pages('Anonymous pages') -
    pages('Pages purgeable') +
    pages('Pages wired down') +
    pages('Pages occupied by compressor');
  const total = Number(size);
  const swapUsedMb = Number(/used = ([\d.]+)M/.exec(swap)?.[1] ?? 0);
  return machine(total, Math.max(0, total - usedPages * pageBytes), Math.round(swapUsedMb * 1024 ** 2));
}
