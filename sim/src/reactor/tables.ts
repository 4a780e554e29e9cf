// What Reactor Core has on its disk: jobs, one run for each attempt, the highest token of each slot.
import {
  isTerminal,
  type ModelType,
  RUN_LIFECYCLE,
  type RunEndCause,
  type RunState,
} from '@jarvis/contracts';
import type { Transaction } from '../kernel/disk.ts';
import type { StreamItem } from '../kernel/stream.ts';
import type { Checkpoints, RunFolder } from './trainer.ts';

export type Outcome = 'completed' | 'failed' | 'cancelled';
export type LastWord = 'completed' | 'preempted' | 'failed' | 'failed for good';

export interface ReactorJob {
  readonly jobId: string;
  readonly modelType: ModelType;
  readonly epochs: number;
  readonly needBytes: number;
  owner: 'jarvis-core' | 'self';
  outcome: Outcome | null;
  resumeAtMs: number | null;
  readonly events: StreamItem[];
  readonly runs: RunRow[];
  /** On disk beside the store. */
  readonly checkpoints: Checkpoints;
}

export interface RunRow {
  readonly jobId: string;
  readonly attempt: number;
  readonly token: number;
  readonly trainerToken: number;
  readonly slot: number;
  readonly leaseId: string | null;
  readonly needBytes: number;
  readonly lastAttempt: boolean;
  borrowed: boolean;
  state: RunState;
  pid: number | null;
  linesRead: number;
  epoch: number;
  stopAsked: 'cancel' | 'preempt' | 'silent' | 'memory_pressure' | null;
  /** Why it ended without a result. */
  cause: RunEndCause | null;
  /** The most that its trainer was seen to hold. */
  peakBytes: number;
  lastWord: LastWord | null;
  /** Who wrote the last word, to be checked against whose run it is. */
  lastWordOf: number | null;
  readonly folder: RunFolder;
}

export interface ReactorTables {
  readonly jobs: Map<string, ReactorJob>;
  readonly tokens: Map<number, { token: number }>;
  /** Runs that have not ended, and runs whose slot and lease are still ours to give back. */
  readonly liveRuns: Set<RunRow>;
  readonly unreturned: Set<RunRow>;
}

export function emptyTables(): ReactorTables {
  return { jobs: new Map(), tokens: new Map(), liveRuns: new Set(), unreturned: new Set() };
}

export function lastRunOf(job: ReactorJob): RunRow | undefined {
  return job.runs.at(-1);
}

/** False when the lifecycle does not allow it from where the run is now. */
export function moveRun(tx: Transaction, run: RunRow, to: RunState, why: string): boolean {
  const from = run.state;
  if (!(RUN_LIFECYCLE[from] as readonly RunState[]).includes(to)) return false;
  tx.change(run, { state: to });
  tx.edge('run', `${run.jobId}/${run.attempt}`, { from, to, why });
  return true;
}

export function tell(
  tx: Transaction,
  job: ReactorJob,
  event: string,
  data: Readonly<Record<string, unknown>>,
): void {
  tx.append(job.events, { seq: job.events.length + 1, event, data: { job_id: job.jobId, ...data } });
}

export function tellStatus(tx: Transaction, job: ReactorJob, run: RunRow): void {
  tell(tx, job, 'status', {
    status: run.state,
    epoch: run.epoch,
    total_epochs: job.epochs,
    loss: 1,
    accuracy: null,
    attempt: run.attempt,
    token: run.token,
    ...(run.cause === null ? {} : { cause: run.cause, peak_ram_bytes: run.peakBytes }),
  });
}

export function liveRuns(tables: ReactorTables): RunRow[] {
  const live: RunRow[] = [];
  for (const run of tables.liveRuns) {
    const stored = tables.jobs.get(run.jobId)?.runs.includes(run) === true;
    if (!stored || isTerminal(RUN_LIFECYCLE, run.state)) tables.liveRuns.delete(run);
    else live.push(run);
  }
  return live;
}
