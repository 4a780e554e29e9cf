// A machine made of recorded files: what /proc and /sys held on some kinds of host.
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import type { System } from '../src/index.ts';
import { temporaryFolder } from './children.ts';

export async function recordedMachine(
  t: TestContext,
  files: Readonly<Record<string, string>>,
): Promise<System> {
  const root = await temporaryFolder(t);
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
  return { platform: 'linux', root, runCommand: () => Promise.reject(new Error('no commands here')) };
}

export const MEMINFO = `MemTotal:       65536000 kB
MemFree:         1024000 kB
MemAvailable:   32768000 kB
Buffers:           26256 kB
Cached:         30000000 kB
SwapTotal:       2097152 kB
SwapFree:        1048576 kB
`;

/** /proc/<pid>/stat of a process. */
export function statLine(pid: number, ppid: number, session: number, name = 'node'): string {
  const rest = '0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0';
  return `${pid} (${name}) S ${ppid} ${session} ${session} ${rest} ${1000 + pid} 456 7\n`;
}

export function rollup(kib: {
  pss: number;
  anon: number;
  file: number;
  shmem?: number;
  rss?: number;
}): string {
  return `55fecea3f000-7ffeed1e3000 ---p 00000000 00:00 0                          [rollup]
Rss:            ${kib.rss ?? kib.pss} kB
Pss:            ${kib.pss} kB
Pss_Dirty:      112 kB
Pss_Anon:       ${kib.anon} kB
Pss_File:       ${kib.file} kB
Pss_Shmem:      ${kib.shmem ?? 0} kB
Anonymous:      ${kib.anon} kB
Swap:           20 kB
SwapPss:        10 kB
`;
}
