// The memory of a process and all that it started.
//
//   root -> child -> grandchild       found by parent; and, where the parent in between is gone, by session
//
// On Linux the figures are proportional (smaps_rollup): a page shared by two processes counts half for each, so a
// model that is mapped twice counts once. Where that may not be read they are resident sizes. On macOS they are the
// footprint that Activity Monitor shows, with compressed pages, else resident sizes.
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
  /**
   * The most it ever had, as the kernel noted it (VmHWM), less what it shares with others now: it sees what came and went
   * between two looks. Only of a tree that is one process, where the highs of several did not come at different times.
   */
  readonly peak_bytes: number | null;
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
  peak_bytes: null,
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
  const footprints = system.platform === 'darwin' ? await readFootprints(owned, system) : null;
  const measured = await mapLimited(owned, (row) => readOne(row, footprints, system));
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
    peak_bytes: a.processes === 0 ? b.peak_bytes : null,
    processes: a.processes + b.processes,
    exact: a.exact && b.exact,
  };
}

/** null: the process ended between the listing and this. */
async function readOne(
  row: ProcessRow,
  footprints: Footprints | null,
  system: System,
): Promise<TreeMemory | null> {
  if (row.rss_bytes !== null) return ofDarwin(row.rss_bytes, footprints?.get(row.pid));
  const folder = `${system.root}/proc/${row.pid}`;
  const read = (name: string) => readFile(`${folder}/${name}`, 'latin1').catch(() => null);
  const [rollup, status] = await Promise.all([read('smaps_rollup'), read('status')]);
  const memory = parseSmapsRollup(rollup ?? '') ?? (status === null ? null : parseStatus(status));
  return memory === null ? null : { ...memory, peak_bytes: peakOf(memory, status) };
}

function peakOf(memory: TreeMemory, status: string | null): number | null {
  const highWater = kilobyteFields(status ?? '')('VmHWM');
  return highWater === null ? null : Math.max(0, highWater - (memory.rss_bytes - memory.pss_bytes));
}

interface Footprint {
  readonly bytes: number;
  readonly peakBytes: number | null;
}
type Footprints = ReadonlyMap<number, Footprint>;

/**
 * What `footprint` tells of each process, which needs no root for those of our own user; null when it fails. Made after
 * its manual and outputs that others recorded (macOS 13 to 15); not tried on a Mac by us.
 */
async function readFootprints(rows: readonly ProcessRow[], system: System): Promise<Footprints | null> {
  if (rows.length === 0) return null;
  const pids = rows.flatMap((row) => ['-p', String(row.pid)]);
  const text = await system
    .runCommand('footprint', ['--noCategories', '--format', 'bytes', ...pids])
    .catch(() => null);
  return text === null ? null : parseFootprints(text);
}

/** `node [501]: 64-bit    Footprint: 5439920 B (16384 bytes per page)`, and a little below it `phys_footprint_peak: 5472688 B`. */
export function parseFootprints(text: string): Footprints {
  const found = new Map<number, Footprint>();
  let pid: number | null = null;
  for (const line of text.split('\n')) {
    const header = /\[(\d+)\]:.*\bFootprint: (\d+) B\b/.exec(line);
    if (header !== null) {
      pid = Number(header[1]);
      found.set(pid, { bytes: Number(header[2]), peakBytes: null });
    }
    const peak = /^\s*phys_footprint_peak: (\d+) B/.exec(line)?.[1];
    const of = pid === null ? undefined : found.get(pid);
    if (peak !== undefined && pid !== null && of !== undefined)
      found.set(pid, { ...of, peakBytes: Number(peak) });
  }
  return found;
}

function ofDarwin(rss: number, footprint: Footprint | undefined): TreeMemory {
  if (footprint === undefined) return resident(rss, rss, 0, 0);
  const { bytes, peakBytes } = footprint;
  return { ...resident(bytes, bytes, 0, 0), rss_bytes: rss, peak_bytes: peakBytes, exact: true };
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
    peak_bytes: null,
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
    peak_bytes: null,
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
