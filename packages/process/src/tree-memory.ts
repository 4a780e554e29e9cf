// The memory of a process and all that it started.
//
//   root -> child -> grandchild       found by parent; and, where the parent in between is gone, by session
//
// On Linux the figures are proportional (smaps_rollup): a page shared by two processes counts half for each, so a
// model that is mapped twice counts once. Where that may not be read, and on macOS, they are resident sizes.
import { readFile } from 'node:fs/promises';
import { listProcesses, mapLimited, type ProcessRow } from './processes.ts';
import { thisSystem, type System } from './system.ts';

export interface TreeMemory {
  /** Proportional set size; the resident size where `exact` is false. */
  readonly pss_bytes: number;
  /** Its part that only swap could take away: heap, stacks, shared memory. */
  readonly anonymous_bytes: number;
  /** Its part that is page cache: programs, mapped models. On macOS it cannot be told apart and is 0. */
  readonly file_backed_bytes: number;
  readonly swap_bytes: number;
  readonly rss_bytes: number;
  /** Live processes in the tree; 0 when the root is gone and nobody is left. */
  readonly processes: number;
  /** Whether every process could be measured proportionally. */
  readonly exact: boolean;
}

const NOTHING: TreeMemory = {
  pss_bytes: 0,
  anonymous_bytes: 0,
  file_backed_bytes: 0,
  swap_bytes: 0,
  rss_bytes: 0,
  processes: 0,
  exact: true,
};
/** Deeper than any real tree; a cycle in a torn listing must not hang the measurement. */
const depthMax = 1000;

/** The whole tree below one process. */
export async function readProcessTreeMemory(pid: number, system: System = thisSystem): Promise<TreeMemory> {
  return (await readTrees([pid], system)).get(pid) ?? NOTHING;
}

/** Several trees in one look at the process table. A process counts once, for its nearest root: the sum over nested roots is right. */
export async function readTrees(
  roots: readonly number[],
  system: System = thisSystem,
): Promise<Map<number, TreeMemory>> {
  const rows = await listProcesses(system);
  const owners = nearestRoots(rows, new Set(roots));
  const owned = rows.filter((row) => owners.has(row.pid));
  const measured = await mapLimited(owned, (row) => readOne(row, system));
  const trees = new Map(roots.map((root) => [root, NOTHING]));
  for (const [i, memory] of measured.entries()) {
    const root = owners.get(owned[i]?.pid ?? -1);
    if (memory !== null && root !== undefined) trees.set(root, plus(trees.get(root) ?? NOTHING, memory));
  }
  return trees;
}

/** pid -> the root it belongs to: the nearest one among itself and its ancestors, else the one that leads its session or an ancestor's. */
export function nearestRoots(
  rows: readonly ProcessRow[],
  roots: ReadonlySet<number>,
): ReadonlyMap<number, number> {
  const byPid = new Map(rows.map((row) => [row.pid, row]));
  const owners = new Map<number, number>();
  for (const row of rows) {
    let bySession: number | undefined;
    let at: ProcessRow | undefined = row;
    for (let depth = 0; at !== undefined && depth < depthMax; depth++) {
      if (roots.has(at.pid)) {
        owners.set(row.pid, at.pid);
        break;
      }
      if (roots.has(at.session)) bySession ??= at.session;
      at = byPid.get(at.ppid);
    }
    if (!owners.has(row.pid) && bySession !== undefined) owners.set(row.pid, bySession);
  }
  return owners;
}

function plus(a: TreeMemory, b: TreeMemory): TreeMemory {
  return {
    pss_bytes: a.pss_bytes + b.pss_bytes,
    anonymous_bytes: a.anonymous_bytes + b.anonymous_bytes,
    file_backed_bytes: a.file_backed_bytes + b.file_backed_bytes,
    swap_bytes: a.swap_bytes + b.swap_bytes,
    rss_bytes: a.rss_bytes + b.rss_bytes,
    processes: a.processes + b.processes,
    exact: a.exact && b.exact,
  };
}

/** null: the process ended between the listing and this. */
async function readOne(row: ProcessRow, system: System): Promise<TreeMemory | null> {
  if (row.rss_bytes !== null) return resident(row.rss_bytes, row.rss_bytes, 0, 0);
  const folder = `${system.root}/proc/${row.pid}`;
  const rollup = await readFile(`${folder}/smaps_rollup`, 'latin1').catch(() => '');
  const proportional = parseSmapsRollup(rollup);
  if (proportional !== null) return proportional;
  const status = await readFile(`${folder}/status`, 'latin1').catch(() => null);
  return status === null ? null : parseStatus(status);
}

/** Shared memory (Pss_Shmem) counts as anonymous: only swap could take it away. */
export function parseSmapsRollup(text: string): TreeMemory | null {
  const bytes = kilobyteFields(text);
  const pss = bytes('Pss');
  if (pss === null) return null;
  // Kernels before 5.4 have no Pss_File: what is not anonymous is file-backed then.
  const file = bytes('Pss_File') ?? Math.max(0, pss - (bytes('Anonymous') ?? 0));
  return {
    pss_bytes: pss,
    anonymous_bytes: pss - file,
    file_backed_bytes: file,
    swap_bytes: bytes('SwapPss') ?? bytes('Swap') ?? 0,
    rss_bytes: bytes('Rss') ?? pss,
    processes: 1,
    exact: true,
  };
}

/** /proc/<pid>/status, which everybody may read. Kernel threads have no VmRSS. */
function parseStatus(text: string): TreeMemory {
  const bytes = kilobyteFields(text);
  const rss = bytes('VmRSS') ?? 0;
  const file = bytes('RssFile') ?? 0;
  return resident(rss, rss - file, file, bytes('VmSwap') ?? 0);
}

function resident(rss: number, anonymous: number, file: number, swap: number): TreeMemory {
  return {
    pss_bytes: rss,
    anonymous_bytes: anonymous,
    file_backed_bytes: file,
    swap_bytes: swap,
    rss_bytes: rss,
    processes: 1,
    exact: false,
  };
}

function kilobyteFields(text: string): (name: string) => number | null {
  return (name) => {
    const found = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1];
    return found === undefined ? null : Number(found) * 1024;
  };
}
