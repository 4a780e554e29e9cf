// The coordinator's store on a simulated disk: the same guards as JARVIS Core's queue, made from the same tables.
import {
  CodedError,
  DEFAULT_PRIORITY,
  isTerminal,
  type JobEvent,
  JOB_LIFECYCLE,
  type JobState,
  mayGo,
  type ModelType,
  PRIORITY_RANK,
  type ResourceVector,
  slotLockName,
  sourcesOf,
} from '@jarvis/contracts';
import type {
  CoordinatorStore,
  JobEnd,
  Retry,
  Silent,
  StoredJob,
  StoredState,
  Submission,
  Submitted,
  TakenMemory,
} from '@jarvis/coordinator';
import { afterFailure, type BreakerRules, type LearnedNeed, type TakeSlot } from '@jarvis/policy';
import { type Disk, GuardFailed, type Transaction } from '../kernel/disk.ts';
import { changeLease, liveLeases, reclaimLease, releaseLeasesOf, requestLease } from './leases.ts';
import { learnedNeedOf, noteTaken } from './needs.ts';
import { acquireLock, releaseLock, releaseLocksOf } from './locks.ts';
import type { CoreTables, JobRow } from './tables.ts';

/** A job that has not been given its data yet takes in what has come since it was asked for. */
const JOINED_STATES: readonly JobState[] = ['queued', 'waiting_for_memory', 'starting'];

/** A job of so many epochs stands for one whose data set turns out to be empty. */
export const EPOCHS_WITHOUT_DATA = 1_000;

/** Longer than any simulation lasts. */
const MAX_WAIT_SECONDS = 604_800;

export interface SimulatedStoreOptions {
  readonly tables: CoreTables;
  readonly disk: Disk;
  readonly newId: (prefix: string) => string;
  readonly lockTtlMs: number;
  readonly leaseTtlMs: number;
  readonly defaultNeed: ResourceVector;
  readonly breaker: BreakerRules;
  readonly onReclaimed: (leaseId: string) => void;
}

interface Move {
  readonly from: readonly JobState[];
  readonly to: JobState;
  readonly reason: string;
  readonly set?: Partial<JobRow>;
}

export class SimulatedStore implements CoordinatorStore {
  readonly #options: SimulatedStoreOptions;

  constructor(options: SimulatedStoreOptions) {
    this.#options = options;
  }

  load(): Promise<StoredState> {
    const { tables } = this.#options;
    return Promise.resolve({
      breakers: [...tables.breakers.values()],
      jobs: liveJobs(tables).map((row) => storedJobOf(row, learnedNeedOf(row, tables))),
      slots: [...tables.locks.values()].flatMap(({ slot, holder, token, expiresAtMs }) =>
        slot === null ? [] : [{ slot, holder, token, expiresAtMs }],
      ),
      leases: liveLeases(tables).map((row) => ({ ...row })),
    });
  }

  submit(submission: Submission, nowMs: number): Promise<Submitted> {
    const { tables, newId } = this.#options;
    return this.#write((tx) => {
      const known = submission.job_id === undefined ? undefined : tables.jobs.get(submission.job_id);
      if (known !== undefined) {
        if (known.modelType === submission.model_type) return { jobId: known.jobId, joined: true };
        throw new CodedError('job_conflict', `job ${known.jobId} is a ${known.modelType} job`);
      }
      const waiting = liveJobs(tables).find(
        (j) =>
          j.modelType === submission.model_type &&
          JOINED_STATES.includes(j.state) &&
          !j.frozen &&
          !j.cancelRequested,
      );
      if (waiting !== undefined && submission.job_id === undefined) {
        const asked = submission.priority ?? DEFAULT_PRIORITY[submission.model_type];
        if (PRIORITY_RANK[asked] < PRIORITY_RANK[waiting.priority]) tx.change(waiting, { priority: asked });
        return { jobId: waiting.jobId, joined: true };
      }
      const jobId = submission.job_id ?? newId('job');
      this.#insert(tx, jobId, submission, nowMs);
      return { jobId, joined: false };
    });
  }

  takeSlot({ jobId, slot, need, reason }: TakeSlot, nowMs: number): Promise<boolean> {
    const { tables, lockTtlMs, newId } = this.#options;
    return this.#attempt((tx) => {
      const name = slotLockName(slot);
      const token = acquireLock(tx, tables, { name, holder: jobId, nowMs, ttlMs: lockTtlMs });
      const job = tables.jobs.get(jobId);
      if (token === null || job === undefined) return false;
      const leaseId = newId('lease');
      requestLease(tx, tables, { leaseId, holder: jobId, need });
      return this.#move(tx, jobId, {
        from: sourcesOf(JOB_LIFECYCLE, 'waiting_for_memory'),
        to: 'waiting_for_memory',
        reason,
        set: { slot, token, leaseId, need, waitingSinceMs: nowMs, notBeforeMs: null },
      });
    });
  }

  drainLease(leaseId: string, reason: string): Promise<boolean> {
    return this.#attempt((tx) => this.#lease(tx, leaseId, { to: 'draining', why: reason }));
  }

  grantLease(leaseId: string, reason: string, nowMs: number): Promise<boolean> {
    const expiresAtMs = nowMs + this.#options.leaseTtlMs;
    return this.#attempt((tx) => this.#lease(tx, leaseId, { to: 'granted', why: reason, expiresAtMs }));
  }

  refuseLease(leaseId: string, reason: string): Promise<boolean> {
    return this.#attempt((tx) => this.#lease(tx, leaseId, { to: 'refused', why: reason }));
  }

  reclaimLease(leaseId: string): Promise<boolean> {
    return this.#attempt((tx) => {
      const reclaimed = reclaimLease(tx, this.#options.tables, leaseId);
      if (reclaimed) this.#options.onReclaimed(leaseId);
      return reclaimed;
    });
  }

  noteMemory(taken: TakenMemory, nowMs: number): Promise<void> {
    const { tables, breaker } = this.#options;
    return this.#write((tx) => {
      const modelType = noteTaken(tx, tables, taken);
      if (modelType === null || taken.failure === null) return;
      const before = tables.breakers.get(modelType) ?? null;
      const failed = { modelType, error: taken.failure };
      tx.insert(tables.breakers, modelType, afterFailure(before, failed, nowMs, breaker));
    });
  }

  /** The words of a lease decide nothing, and are not kept here. */
  explainLease(): Promise<void> {
    return Promise.resolve();
  }

  expireLease(leaseId: string): Promise<boolean> {
    const why = 'its holder is silent';
    return this.#attempt((tx) => this.#lease(tx, leaseId, { to: 'expired_unconfirmed', why }));
  }

  releaseSilent({ holder, leaseIds, slots }: Silent, reason: string): Promise<void> {
    const { tables } = this.#options;
    return this.#write((tx) => {
      for (const leaseId of leaseIds) changeLease(tx, tables, leaseId, { to: 'released', why: reason });
      for (const { slot, token } of slots)
        releaseLock(tx, tables, { name: slotLockName(slot), holder, token });
    });
  }

  beginStart(jobId: string, reason: string): Promise<boolean> {
    return this.#attempt((tx) => {
      const attempt = (this.#options.tables.jobs.get(jobId)?.attempt ?? 0) + 1;
      const set = { attempt, waitingSinceMs: null };
      return this.#move(tx, jobId, { from: ['waiting_for_memory'], to: 'starting', reason, set });
    });
  }

  markTraining(jobId: string, token: number, nowMs: number): Promise<boolean> {
    return this.#attempt((tx) => {
      if (this.#options.tables.jobs.get(jobId)?.token !== token) return false;
      const set = { trainingSinceMs: nowMs };
      return this.#move(tx, jobId, {
        from: ['starting'],
        to: 'training',
        reason: 'Reactor Core runs it',
        set,
      });
    });
  }

  beginPreempt(jobId: string, reason: string, nowMs: number): Promise<boolean> {
    return this.#attempt((tx) => {
      const preemptedAtMs = [...(this.#options.tables.jobs.get(jobId)?.preemptedAtMs ?? []), nowMs];
      const from = sourcesOf(JOB_LIFECYCLE, 'preempting');
      return this.#move(tx, jobId, { from, to: 'preempting', reason, set: { preemptedAtMs } });
    });
  }

  requeue(jobId: string, retry: Retry, _nowMs: number): Promise<boolean> {
    return this.#attempt((tx) => {
      const job = this.#options.tables.jobs.get(jobId);
      if (job === undefined || !mayGo(JOB_LIFECYCLE, job.state, 'queued')) return false;
      const refund = !retry.spendsAttempt && job.state !== 'waiting_for_memory' ? 1 : 0;
      this.#release(tx, jobId, retry.reason);
      const given = { slot: null, leaseId: null, waitingSinceMs: null, trainingSinceMs: null };
      const runCursor = Math.max(job.runCursor, retry.runCursor ?? 0);
      const set = { ...given, runCursor, notBeforeMs: retry.notBeforeMs, attempt: job.attempt - refund };
      const from = sourcesOf(JOB_LIFECYCLE, 'queued');
      const moved = this.#move(tx, jobId, { from, to: 'queued', reason: retry.reason, set });
      if (!moved || !job.cancelRequested) return moved;
      return this.#move(tx, jobId, { from: ['queued'], to: 'cancelled', reason: 'cancelled' });
    });
  }

  end(
    jobId: string,
    end: JobEnd,
    detail: { reason: string; modelVersion: string | null; error: string | null },
    nowMs: number,
  ): Promise<boolean> {
    return this.#attempt((tx) => {
      const set = { slot: null, leaseId: null, waitingSinceMs: null, trainingSinceMs: null };
      const from = sourcesOf(JOB_LIFECYCLE, end);
      const moved = this.#move(tx, jobId, { from, to: end, reason: detail.reason, set });
      if (!moved) return false;
      this.#release(tx, jobId, `the job is ${end}`);
      this.#countOutcome(tx, jobId, end, { error: detail.reason, nowMs });
      return true;
    });
  }

  #countOutcome(
    tx: Transaction,
    jobId: string,
    end: JobEnd,
    { error, nowMs }: { error: string; nowMs: number },
  ): void {
    const { tables, breaker } = this.#options;
    const modelType = tables.jobs.get(jobId)?.modelType;
    if (modelType === undefined || end === 'cancelled') return;
    const before = tables.breakers.get(modelType) ?? null;
    if (end === 'failed')
      tx.insert(tables.breakers, modelType, afterFailure(before, { modelType, error }, nowMs, breaker));
    else if (before !== null) tx.remove(tables.breakers, modelType);
  }

  requestCancel(jobId: string): Promise<JobEvent['state'] | null> {
    return this.#write((tx) => {
      const job = this.#options.tables.jobs.get(jobId);
      if (job === undefined) return null;
      if (isTerminal(JOB_LIFECYCLE, job.state) || job.cancelRequested) return job.state;
      tx.change(job, { cancelRequested: true, reason: 'to be cancelled' });
      tell(tx, job, 'progress');
      return job.state;
    });
  }

  progress(jobId: string, progress: { epoch: number; totalEpochs: number }): Promise<void> {
    return this.#write((tx) => {
      const job = this.#options.tables.jobs.get(jobId);
      if (job === undefined || (job.state !== 'training' && job.state !== 'preempting')) return;
      tx.change(job, { epoch: progress.epoch, epochs: progress.totalEpochs });
      tell(tx, job, 'progress');
    });
  }

  moveCursor(jobId: string, cursor: number): Promise<void> {
    return this.#write((tx) => {
      const job = this.#options.tables.jobs.get(jobId);
      if (job !== undefined && job.runCursor < cursor) tx.change(job, { runCursor: cursor });
    });
  }

  explain(reasons: readonly { readonly jobId: string; readonly reason: string }[]): Promise<void> {
    return this.#write((tx) => {
      for (const { jobId, reason } of reasons) {
        const job = this.#options.tables.jobs.get(jobId);
        if (job !== undefined && !isTerminal(JOB_LIFECYCLE, job.state)) tx.change(job, { reason });
      }
    });
  }

  resetBreaker(modelType: ModelType): Promise<boolean> {
    const { breakers } = this.#options.tables;
    return this.#write((tx) => {
      const had = breakers.has(modelType);
      if (had) tx.remove(breakers, modelType);
      return had;
    });
  }

  /** The data set is frozen when a job first starts; answers the job's epochs. */
  freeze(jobId: string): number {
    const job = this.#options.tables.jobs.get(jobId);
    if (job === undefined) throw new CodedError('not_found', `there is no job ${jobId}`);
    if (job.epochs === EPOCHS_WITHOUT_DATA)
      throw new CodedError('dataset_empty', 'there is nothing to learn from');
    if (!job.frozen) this.#options.disk.commit((tx) => tx.change(job, { frozen: true }));
    return job.epochs;
  }

  #insert(tx: Transaction, jobId: string, submission: Submission, nowMs: number): void {
    const { tables, defaultNeed } = this.#options;
    const job: JobRow = {
      jobId,
      modelType: submission.model_type,
      priority: submission.priority ?? DEFAULT_PRIORITY[submission.model_type],
      state: 'queued',
      reason: submission.reason,
      submittedAtMs: nowMs,
      notBeforeMs: null,
      waitingSinceMs: null,
      slot: null,
      token: null,
      leaseId: null,
      need: { ...defaultNeed, ...submission.need },
      needGiven: submission.need !== undefined,
      attempt: 0,
      epoch: 0,
      epochs: submission.epochs ?? 1,
      cancelRequested: false,
      runCursor: 0,
      frozen: false,
      maxWaitMs: (submission.max_wait_seconds ?? MAX_WAIT_SECONDS) * 1000,
      trainingSinceMs: null,
      preemptedAtMs: [],
      events: [],
    };
    tx.insert(tables.jobs, jobId, job);
    tables.liveJobs.add(job);
    tell(tx, job, 'state');
  }

  #write<T>(work: (tx: Transaction) => T): Promise<T> {
    return this.#options.disk.commitLater(work);
  }

  /** When `work` answers false, nothing that it wrote stays. */
  #attempt(work: (tx: Transaction) => boolean): Promise<boolean> {
    return this.#write((tx) => {
      if (!work(tx)) throw new GuardFailed();
      return true;
    }).catch((error: unknown) => {
      if (error instanceof GuardFailed) return false;
      throw error;
    });
  }

  #lease(tx: Transaction, leaseId: string, change: Parameters<typeof changeLease>[3]): boolean {
    return changeLease(tx, this.#options.tables, leaseId, change);
  }

  #move(tx: Transaction, jobId: string, move: Move): boolean {
    const job = this.#options.tables.jobs.get(jobId);
    if (job === undefined || !move.from.includes(job.state)) return false;
    const from = job.state;
    tx.change(job, { ...move.set, state: move.to, reason: move.reason });
    tx.edge('job', jobId, { from, to: move.to, why: move.reason });
    tell(tx, job, 'state');
    return true;
  }

  /** Given back in the reverse order of taking: lease, then slot. */
  #release(tx: Transaction, holder: string, reason: string): void {
    releaseLeasesOf(tx, this.#options.tables, holder, reason);
    releaseLocksOf(tx, this.#options.tables, holder);
  }
}

function storedJobOf(
  row: JobRow,
  { bytes, leastBytes }: Pick<LearnedNeed, 'bytes' | 'leastBytes'>,
): StoredJob {
  return {
    jobId: row.jobId,
    modelType: row.modelType,
    priority: row.priority,
    state: row.state,
    submittedAtMs: row.submittedAtMs,
    notBeforeMs: row.notBeforeMs,
    waitingSinceMs: row.waitingSinceMs,
    slot: row.slot,
    leaseId: row.leaseId,
    need: { ...row.need, ram_bytes: bytes },
    leastRamBytes: leastBytes,
    cancelRequested: row.cancelRequested,
    attempt: row.attempt,
    token: row.token,
    runCursor: row.runCursor,
    reason: row.reason,
    maxWaitMs: row.maxWaitMs,
    hasRun: row.attempt > 0 || row.runCursor > 0,
    trainingSinceMs: row.trainingSinceMs,
    preemptedAtMs: row.preemptedAtMs,
  };
}

function tell(tx: Transaction, job: JobRow, type: 'state' | 'progress'): void {
  tx.append(job.events, { seq: job.events.length + 1, type, state: job.state });
}

/** Jobs that have not ended, in the order of their submission. */
export function liveJobs(tables: CoreTables): JobRow[] {
  const live: JobRow[] = [];
  for (const job of tables.liveJobs) {
    if (isTerminal(JOB_LIFECYCLE, job.state) || tables.jobs.get(job.jobId) !== job)
      tables.liveJobs.delete(job);
    else live.push(job);
  }
  return live;
}
