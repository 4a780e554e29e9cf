// The list of processes with their parents, groups and start times.
// Linux reads /proc/<pid>/stat; macOS runs `ps`, which has no ticks: there the start counts in seconds since the epoch.
import { readdir, readFile } from 'node:fs/promises';
import { thisSystem, type System } from './system.ts';

export interface ProcessRow {
  readonly pid: number;
  readonly ppid: number;
  readonly pgid: number;
  /** The session's leader; 0 where the system does not tell. */
  readonly session: number;
  /** When it started: clock ticks since boot on Linux, seconds since the epoch on macOS. With the pid, its identity. */
  readonly startTicks: number;
  /** Only where the list itself has it (macOS); on Linux it is read for the processes that matter. */
  readonly rss_bytes: number | null;
}

/** Files of /proc opened at a time: a machine may have more processes than we may have descriptors. */
const openFilesMax = 64;

/** One process; null when there is none, or only a zombie (it holds nothing any more). */
export async function readProcess(pid: number, system: System = thisSystem): Promise<ProcessRow | null> {
  if (system.platform === 'linux') {
    const text = await readFile(`${system.root}/proc/${pid}/stat`, 'latin1').catch(() => null);
    return text === null ? null : parseStat(text);
  }
  const text = await system.runCommand('ps', ['-o', PS_COLUMNS, '-p', String(pid)]).catch(() => '');
  return parsePs(text)[0] ?? null;
}

/** Every live process that may be seen; zombies are left out. */
export async function listProcesses(system: System = thisSystem): Promise<ProcessRow[]> {
  if (system.platform !== 'linux') return parsePs(await system.runCommand('ps', ['-axo', PS_COLUMNS]));
  const pids = (await readdir(`${system.root}/proc`)).filter((name) => /^\d+$/.test(name)).map(Number);
  return (await mapLimited(pids, (pid) => readProcess(pid, system))).filter((row) => row !== null);
}

/** The live members of a process group or of the session that its leader opened. */
export async function groupMembers(leader: number, system: System = thisSystem): Promise<number[]> {
  const rows = await listProcesses(system);
  return rows.filter((row) => row.pgid === leader || row.session === leader).map((row) => row.pid);
}

/** The name in parentheses may itself hold spaces and parentheses: fields count from the last one. */
export function parseStat(text: string): ProcessRow | null {
  const open = text.indexOf('(');
  const close = text.lastIndexOf(')');
  if (open < 0 || close < 0) return null;
  const fields = text.slice(close + 2).split(' ');
  const state = fields[0] ?? 'X';
  if (/^[ZXx]/.test(state)) return null;
  return {
    pid: Number(text.slice(0, open)),
    ppid: Number(fields[1]),
    pgid: Number(fields[2]),
    session: Number(fields[3]),
    startTicks: Number(fields[19]),
    rss_bytes: null,
  };
}

const PS_COLUMNS = 'pid=,ppid=,pgid=,rss=,stat=,lstart=';

/** `  501     1   501  12345 Ss   Tue Nov 24 04:20:00 2026`, one line for each process; rss in KiB. */
export function parsePs(text: string): ProcessRow[] {
  const rows: ProcessRow[] = [];
  for (const line of text.split('\n')) {
    const match = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s+(\S+)\s+(.+?)\s*$/.exec(line);
    if (match === null || match[5]?.startsWith('Z') === true) continue;
    rows.push({
      pid: Number(match[1]),
      ppid: Number(match[2]),
      pgid: Number(match[3]),
      session: 0,
      startTicks: Math.trunc(Date.parse(match[6] ?? '') / 1000),
      rss_bytes: Number(match[4]) * 1024,
    });
  }
  return rows;
}

/** Maps with at most `openFilesMax` calls under way; the results keep the order. */
export async function mapLimited<T, R>(items: readonly T[], map: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  async function worker(): Promise<void> {
    for (let i = next++; i < items.length; i = next++) results[i] = await map(items[i] as T);
  }
  await Promise.all(Array.from({ length: Math.min(openFilesMax, items.length) }, worker));
  return results;
}
