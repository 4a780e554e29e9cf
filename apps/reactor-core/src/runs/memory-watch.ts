// Looks at the memory of live trainers: notes each one's peak, and stops at a checkpoint who comes near its limit. Of a run
// that has ended it tells whether the kernel killed its trainer for want of memory.
import { readMachineOomKills, readTrees, type TreeMemory } from '@jarvis/process';
import { type Clock, type Logger, type Loop, startLoop } from '@jarvis/runtime';
import type { Database } from '@jarvis/store';
import type { MemoryGroups } from '../executors/memory-groups.ts';
import type { TrainerExit } from '../executors/executor.ts';
import { raisePeak } from '../store/run-memory.ts';
import type { RunKey, RunRow } from '../store/runs.ts';
import type { LiveRun } from './live-run.ts';
import type { LiveRuns } from './live-runs.ts';
import { judgeMemory } from './memory-verdict.ts';

/** Between two looks: a trainer that fills what is left above its mark needs longer than that, or the kernel is there. */
export const MEMORY_LOOK_MS = 250;
/** A peak is stored when it is so much above the one in the store: some dozens of times in the life of any run. */
const PEAK_STORED_GROWTH = 1.05;
/** The kernel's count is compared with the one so many looks ago: a process that was killed is seen for a while. */
const KILL_COUNTS_KEPT = 8;

export interface MemoryWatchOptions {
  readonly db: Database;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly live: LiveRuns;
  readonly groups: MemoryGroups;
  readonly stopGraceMs: number;
}

/** What is known of a run's memory when its trainer is gone. */
export interface RunMemory {
  readonly peakBytes: number | null;
  readonly outOfMemory: boolean;
}

interface Seen {
  peakBytes: number;
  storedBytes: number;
  /** Kills on the machine at the last looks; only of a run without a group, whose own count tells more. */
  readonly kills: number[];
}

export class MemoryWatch {
  readonly #options: MemoryWatchOptions;
  readonly #seen = new Map<string, Seen>();

  constructor(options: MemoryWatchOptions) {
    this.#options = options;
  }

  start(): Loop {
    const { clock, logger } = this.#options;
    const run = (): Promise<void> => this.look();
    return startLoop({ name: 'memory of trainers', intervalMs: MEMORY_LOOK_MS, clock, logger, run });
  }

  async look(): Promise<void> {
    const living = this.#options.live.all().filter(({ process }) => process.pid > 0);
    if (living.length === 0) return;
    const kills = living.some(({ run }) => run.memory_group === null) ? await readMachineOomKills() : null;
    const trees = await readTrees(living.map(({ process }) => process.pid));
    for (const one of living) {
      const tree = trees.get(one.process.pid);
      if (tree !== undefined && tree.processes > 0) await this.#take(one, tree, kills);
    }
  }

  async endOf(run: RunRow, exit: TrainerExit | null): Promise<RunMemory> {
    const seen = this.#seen.get(nameOf(run));
    const outOfMemory = await this.#wasKilled(run, exit, seen);
    // Who was killed by its own limit had reached it, however quickly.
    const reached = outOfMemory && run.memory_group !== null ? (run.limit_bytes ?? 0) : 0;
    const peak = Math.max(seen?.peakBytes ?? 0, run.peak_ram_bytes ?? 0, reached);
    return { peakBytes: peak === 0 ? null : peak, outOfMemory };
  }

  forget(run: RunKey): void {
    this.#seen.delete(nameOf(run));
  }

  async #take({ run, halt }: LiveRun, tree: TreeMemory, kills: number | null): Promise<void> {
    const seen = this.#seenOf(run);
    seen.peakBytes = Math.max(seen.peakBytes, tree.pss_bytes, tree.peak_bytes ?? 0);
    if (kills !== null) seen.kills.push(kills);
    if (seen.kills.length > KILL_COUNTS_KEPT) seen.kills.shift();
    const words = judgeMemory(tree.pss_bytes, run.limit_bytes);
    if (words !== null) halt({ why: 'memory_pressure', words, graceMs: this.#options.stopGraceMs });
    if (seen.peakBytes > seen.storedBytes * PEAK_STORED_GROWTH) await this.#store(run, seen);
  }

  async #store(run: RunRow, seen: Seen): Promise<void> {
    const { db } = this.#options;
    const { peakBytes } = seen;
    await db.transaction('reactor.run.peak', (tx) => raisePeak(tx, run, peakBytes));
    seen.storedBytes = peakBytes;
  }

  #seenOf(run: RunRow): Seen {
    const stored = run.peak_ram_bytes ?? 0;
    const seen = this.#seen.get(nameOf(run)) ?? { peakBytes: stored, storedBytes: stored, kills: [] };
    this.#seen.set(nameOf(run), seen);
    return seen;
  }

  async #wasKilled(run: RunRow, exit: TrainerExit | null, seen: Seen | undefined): Promise<boolean> {
    if (run.memory_group !== null)
      return await this.#options.groups.hasRunOut(run.memory_group, run.limit_bytes ?? 0);
    const before = seen?.kills[0];
    if (exit?.signal !== 'SIGKILL' || before === undefined) return false;
    return ((await readMachineOomKills()) ?? 0) > before;
  }
}

function nameOf({ job_id, attempt }: RunKey): string {
  return `${job_id}/${attempt}`;
}
