// Which processes work on a home, whoever started them: those with an argument or an open file below it, its logs apart,
// which may be read by anybody.
import { readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { listProcesses, mapLimited, type ProcessRow } from './processes.ts';
import { thisSystem, type System } from './system.ts';

export interface HomeProcess {
  readonly pid: number;
  /** Its ancestors, nearest first. */
  readonly ancestors: readonly number[];
  readonly command: string;
}

/** Enough for the paths of a run. */
const commandCharactersMax = 1000;

/** null where the system does not tell. Processes of other users are not seen. */
export async function findHomeProcesses(
  home: string,
  system: System = thisSystem,
): Promise<HomeProcess[] | null> {
  if (system.platform !== 'linux') return null;
  const rows = await listProcesses(system);
  const byPid = new Map(rows.map((row) => [row.pid, row]));
  const found = await mapLimited(rows, async ({ pid }) => {
    const words = (await readFile(`${system.root}/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
    const works = words.some((word) => isAtWork(word, home)) || (await hasOpen(pid, home, system));
    if (!works) return null;
    const command = words.join(' ').trim().slice(0, commandCharactersMax);
    return { pid, ancestors: ancestorsOf(pid, byPid), command };
  });
  return found.filter((process) => process !== null);
}

async function hasOpen(pid: number, home: string, system: System): Promise<boolean> {
  const folder = `${system.root}/proc/${pid}/fd`;
  for (const descriptor of await readdir(folder).catch(() => [])) {
    const target = await readlink(`${folder}/${descriptor}`).catch(() => '');
    if (isAtWork(target, home)) return true;
  }
  return false;
}

function isAtWork(path: string, home: string): boolean {
  return path.startsWith(`${home}/`) && !path.startsWith(`${join(home, 'logs')}/`);
}

function ancestorsOf(pid: number, byPid: ReadonlyMap<number, ProcessRow>): number[] {
  const ancestors: number[] = [];
  let parent = byPid.get(pid)?.ppid;
  while (parent !== undefined && parent > 1 && !ancestors.includes(parent)) {
    ancestors.push(parent);
    parent = byPid.get(parent)?.ppid;
  }
  return ancestors;
}
