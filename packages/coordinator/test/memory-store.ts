// A store in memory for scenarios: its guards come from the same lifecycle tables as those of JARVIS Core's statements,
// each call changes all or nothing, and any call can be made to fail as on a full disk.
import {
  CodedError,
  DEFAULT_PRIORITY,
  isTerminal,
  JOB_LIFECYCLE,
  type JobState,
  LEASE_LIFECYCLE,
  type LeaseState,
  mayGo,
  type ModelType,
} from '@jarvis/contracts';
import type { BreakerView, LeaseView, TakeSlot } from '@jarvis/policy';
import type {
  CoordinatorStore,
  JobEnd,
  Retry,
  Silent,
  StoredJob,
  StoredSlot,
  StoredState,
  Submission,
  Submitted,
  TakenMemory,
} from '../src/index.ts';

type Detail = Parameters<CoordinatorStore['end']>[2];
type Progress = Parameters<CoordinatorStore['progress']>[1];
type Call = keyof CoordinatorStore;

export interface MemoryJob extends StoredJob {
  readonly ended: Detail | null;
  readonly progress: Progress | null;
}

/** What somebody asks for who is no job. */
export const STRANGERS_LEASE = { purpose: 'training', reclaimed: false, reason: '' } as const;

export const LEASE_TTL_MS = 60_000;
export const SLOT_TTL_MS = 60_000;
const NEED = { host_id: 'h', ram_bytes: 1, vram_bytes: {} };

export class MemoryStore implements CoordinatorStore {
  readonly jobs = new Map<string, MemoryJob>();
  readonly leases = new Map<string, LeaseView & { readonly reason: string }>();
  readonly slots: StoredSlot[];
  readonly breakers = new Map<ModelType, BreakerView>();
  /** By job and attempt. */
  readonly taken = new Map<string, TakenMemory>();
  /** Calls that fail as on a full disk. */
  readonly failing = new Set<Call>();
  /** Each call but `load`, in order, with what it was about. */
  readonly calls: string[] = [];

  constructor({ slots = 1 }: { slots?: number } = {}) {
    this.slots = Array.from({ length: slots }, (_, slot) => ({
      slot,
      holder: null,
      token: 0,
      expiresAtMs: null,
    }));
  }

  load(): Promise<StoredState> {
    if (this.failing.has('load')) return Promise.reject(new CodedError('storage_full', 'the disk is full'));
    return Promise.resolve({
      jobs: [...this.jobs.values()].filter((j) => !isTerminal(JOB_LIFECYCLE, j.state)),
      slots: [...this.slots],
      leases: [...this.leases.values()].filter((l) => !isTerminal(LEASE_LIFECYCLE, l.state)),
      breakers: [...this.breakers.values()],
    });
  }

  submit(submission: Submission, nowMs: number): Promise<Submitted | null> {
    return this.#write('submit', submission.model_type, () => {
      if ((submission.atLeastNew ?? 0) > 0) return null;
      const joins = [...this.jobs.values()].find(
        (j) => j.modelType === submission.model_type && j.state === 'queued',
      );
      if (joins !== undefined) return { jobId: joins.jobId, joined: true };
      const jobId = submission.job_id ?? `job-${this.jobs.size + 1}`;
      this.jobs.set(jobId, newJob(jobId, submission, nowMs));
      return { jobId, joined: false };
    });
  }

  takeSlot({ jobId, slot, need, reason }: TakeSlot, nowMs: number): Promise<boolean> {
    return this.#write('takeSlot', jobId, () => {
      const job = this.jobs.get(jobId);
      const free = this.slots[slot];
      if (job === undefined || free?.holder !== null) return false;
      const [token, leaseId] = [free.token + 1, `lease-${this.leases.size + 1}`];
      const taken = { slot, token, leaseId, need, waitingSinceMs: nowMs, notBeforeMs: null, reason };
      if (!this.#move(jobId, 'waiting_for_memory', taken)) return false;
      this.slots[slot] = { slot, holder: jobId, token, expiresAtMs: nowMs + SLOT_TTL_MS };
      const lease = {
        leaseId,
        purpose: 'training' as const,
        reclaimed: false,
        holder: jobId,
        need,
        expiresAtMs: null,
        reason: '',
      };
      this.leases.set(leaseId, { ...lease, state: 'requested' });
      return true;
    });
  }

  drainLease(leaseId: string, reason: string): Promise<boolean> {
    return this.#write('drainLease', leaseId, () => this.#changeLease(leaseId, 'draining', { reason }));
  }

  grantLease(leaseId: string, reason: string, nowMs: number): Promise<boolean> {
    const expiresAtMs = nowMs + LEASE_TTL_MS;
    return this.#write('grantLease', leaseId, () =>
      this.#changeLease(leaseId, 'granted', { reason, expiresAtMs }),
    );
  }

  refuseLease(leaseId: string, reason: string): Promise<boolean> {
    return this.#write('refuseLease', leaseId, () => this.#changeLease(leaseId, 'refused', { reason }));
  }

  reclaimLease(leaseId: string): Promise<boolean> {
    return this.#write('reclaimLease', leaseId, () => {
      const lease = this.leases.get(leaseId);
      if (lease === undefined || lease.state !== 'granted' || lease.reclaimed) return false;
      this.leases.set(leaseId, { ...lease, reclaimed: true });
      return true;
    });
  }

  noteMemory(taken: TakenMemory): Promise<void> {
    return this.#write('noteMemory', `${taken.jobId} ${taken.attempt}`, () => {
      this.taken.set(`${taken.jobId} ${taken.attempt}`, taken);
    });
  }

  explainLease(leaseId: string, reason: string): Promise<void> {
    return this.#write('explainLease', leaseId, () => {
      const lease = this.leases.get(leaseId);
      if (lease !== undefined) this.leases.set(leaseId, { ...lease, reason });
    });
  }

  expireLease(leaseId: string): Promise<boolean> {
    return this.#write('expireLease', leaseId, () => this.#changeLease(leaseId, 'expired_unconfirmed', {}));
  }

  releaseSilent({ holder, leaseIds, slots }: Silent, reason: string): Promise<void> {
    return this.#write('releaseSilent', `${holder}: ${reason}`, () => {
      for (const leaseId of leaseIds) this.#changeLease(leaseId, 'released', {});
      for (const { slot, token } of slots) {
        const held = this.slots[slot];
        if (held?.holder === holder && held.token === token)
          this.slots[slot] = { ...held, holder: null, expiresAtMs: null };
      }
    });
  }

  beginStart(jobId: string, reason: string): Promise<boolean> {
    return this.#write('beginStart', jobId, () => {
      const attempt = (this.jobs.get(jobId)?.attempt ?? 0) + 1;
      return this.#move(jobId, 'starting', { attempt, waitingSinceMs: null, hasRun: true, reason });
    });
  }

  markTraining(jobId: string, token: number, nowMs: number): Promise<boolean> {
    return this.#write('markTraining', jobId, () => {
      if (this.jobs.get(jobId)?.token !== token) return false;
      return this.#move(jobId, 'training', { trainingSinceMs: nowMs });
    });
  }

  beginPreempt(jobId: string, reason: string, nowMs: number): Promise<boolean> {
    return this.#write('beginPreempt', jobId, () => {
      const before = this.jobs.get(jobId)?.preemptedAtMs ?? [];
      return this.#move(jobId, 'preempting', { preemptedAtMs: [...before, nowMs], reason });
    });
  }

  requeue(jobId: string, { reason, notBeforeMs, spendsAttempt, runCursor = 0 }: Retry): Promise<boolean> {
    return this.#write('requeue', jobId, () => {
      const job = this.jobs.get(jobId);
      if (job === undefined) return false;
      const refund = spendsAttempt || job.state === 'waiting_for_memory' ? 0 : 1;
      const moved = this.#move(jobId, 'queued', {
        ...HOLDING_NOTHING,
        attempt: job.attempt - refund,
        runCursor: Math.max(job.runCursor, runCursor),
        notBeforeMs,
        reason,
      });
      if (!moved) return false;
      this.#release(jobId);
      if (job.cancelRequested) this.#move(jobId, 'cancelled', { ended: CANCELLED });
      return true;
    });
  }

  end(jobId: string, end: JobEnd, detail: Detail): Promise<boolean> {
    return this.#write('end', jobId, () => {
      const moved = this.#move(jobId, end, { ...HOLDING_NOTHING, reason: detail.reason, ended: detail });
      if (moved) this.#release(jobId);
      return moved;
    });
  }

  requestCancel(jobId: string): Promise<JobState | null> {
    return this.#write('requestCancel', jobId, () => {
      const job = this.jobs.get(jobId);
      if (job === undefined) return null;
      if (!isTerminal(JOB_LIFECYCLE, job.state)) this.jobs.set(jobId, { ...job, cancelRequested: true });
      return job.state;
    });
  }

  progress(jobId: string, progress: Progress): Promise<void> {
    return this.#write('progress', jobId, () => {
      const job = this.jobs.get(jobId);
      if (job !== undefined) this.jobs.set(jobId, { ...job, progress });
    });
  }

  moveCursor(jobId: string, cursor: number): Promise<void> {
    return this.#write('moveCursor', jobId, () => {
      const job = this.jobs.get(jobId);
      if (job !== undefined && job.runCursor < cursor) this.jobs.set(jobId, { ...job, runCursor: cursor });
    });
  }

  explain(reasons: readonly { readonly jobId: string; readonly reason: string }[]): Promise<void> {
    return this.#write('explain', reasons.map((r) => r.jobId).join(), () => {
      for (const { jobId, reason } of reasons) {
        const job = this.jobs.get(jobId);
        if (job !== undefined) this.jobs.set(jobId, { ...job, reason });
      }
    });
  }

  resetBreaker(modelType: ModelType): Promise<boolean> {
    return this.#write('resetBreaker', modelType, () => this.breakers.delete(modelType));
  }

  #write<T>(call: Call, about: string, work: () => T): Promise<T> {
    if (this.failing.has(call)) return Promise.reject(new CodedError('storage_full', 'the disk is full'));
    this.calls.push(`${call} ${about}`);
    return Promise.resolve(work());
  }

  #move(jobId: string, to: JobState, change: Partial<MemoryJob>): boolean {
    const job = this.jobs.get(jobId);
    if (job === undefined || !mayGo(JOB_LIFECYCLE, job.state, to)) return false;
    this.jobs.set(jobId, { ...job, ...change, state: to });
    return true;
  }

  #changeLease(
    leaseId: string,
    to: LeaseState,
    change: { readonly reason?: string; readonly expiresAtMs?: number },
  ): boolean {
    const lease = this.leases.get(leaseId);
    if (lease === undefined || !mayGo(LEASE_LIFECYCLE, lease.state, to)) return false;
    this.leases.set(leaseId, { ...lease, ...change, state: to });
    return true;
  }

  #release(holder: string): void {
    for (const lease of this.leases.values())
      if (lease.holder === holder) this.#changeLease(lease.leaseId, 'released', {});
    for (const [i, slot] of this.slots.entries())
      if (slot.holder === holder) this.slots[i] = { ...slot, holder: null, expiresAtMs: null };
  }
}

const HOLDING_NOTHING = { slot: null, leaseId: null, waitingSinceMs: null, trainingSinceMs: null } as const;
const CANCELLED: Detail = { reason: 'cancelled', modelVersion: null, error: null };

function newJob(jobId: string, submission: Submission, nowMs: number): MemoryJob {
  return {
    ...HOLDING_NOTHING,
    jobId,
    modelType: submission.model_type,
    priority: submission.priority ?? DEFAULT_PRIORITY[submission.model_type],
    state: 'queued',
    submittedAtMs: nowMs,
    notBeforeMs: null,
    need: { ...NEED, ...submission.need },
    leastRamBytes: submission.need?.ram_bytes ?? NEED.ram_bytes,
    cancelRequested: false,
    maxWaitMs: submission.max_wait_seconds === undefined ? null : submission.max_wait_seconds * 1000,
    hasRun: false,
    preemptedAtMs: [],
    attempt: 0,
    token: null,
    runCursor: 0,
    reason: submission.reason,
    ended: null,
    progress: null,
  };
}
