// The coordinator's two sides: the store, in which every transition is one guarded transaction, and the work outside,
// which is not commanded step by step but derived from the state, so that nothing is forgotten by a crash in between.
import type { JobEvent, JobSubmit, ModelType, Run } from '@jarvis/contracts';
import type { BreakerView, JobView, LeaseView, NeedOutcome, SlotView, TakeSlot } from '@jarvis/policy';

export interface StoredState {
  /** Jobs that have not ended. */
  readonly jobs: readonly StoredJob[];
  readonly slots: readonly StoredSlot[];
  /** Leases that have not ended. */
  readonly leases: readonly LeaseView[];
  /** Of model types of which jobs failed since the last that completed. */
  readonly breakers: readonly BreakerView[];
}

export interface StoredJob extends JobView {
  readonly attempt: number;
  readonly token: number | null;
  /** The last event of Reactor Core's stream that was taken in. */
  readonly runCursor: number;
  /** Why it is where it is, for a person. */
  readonly reason: string;
}

export interface StoredSlot extends SlotView {
  readonly token: number;
  readonly expiresAtMs: number | null;
}

export interface Submission extends JobSubmit {
  readonly source: 'asked' | 'experiences' | 'schedule' | 'baseline';
  /** Only if so many experiences are still new when it is stored: what counted them may have been overtaken. */
  readonly atLeastNew?: number;
}

export interface Submitted {
  readonly jobId: string;
  readonly joined: boolean;
}

/** What to do with a job whose attempt has ended without a result. */
export interface Retry {
  readonly reason: string;
  readonly notBeforeMs: number;
  /** A preempted attempt is not counted against the job. */
  readonly spendsAttempt: boolean;
  /** The event that says so: taken in by the same transaction, so that the next attempt never hears of it. */
  readonly runCursor?: number;
}

/** Leases and slots of one holder that has not been heard of for longer than their time. */
export interface Silent {
  readonly holder: string;
  readonly leaseIds: readonly string[];
  readonly slots: readonly { readonly slot: number; readonly token: number }[];
}

/** What an attempt of a job took, told by the end of its run. */
export interface TakenMemory {
  readonly jobId: string;
  /** As Reactor Core counts them: each has a number of its own. */
  readonly attempt: number;
  /** null: nobody measured it; then only that it ran out is known. */
  readonly peakBytes: number | null;
  readonly outcome: NeedOutcome;
  /** The kernel killed it: told the breaker of its model type as a failure. Null where it was stopped in time. */
  readonly failure: string | null;
}

export type JobEnd = 'completed' | 'failed' | 'cancelled';

/**
 * Each call is one transaction with its event; a call whose guard does not hold changes nothing and answers false: the
 * state has moved on, and the next cycle sees it.
 */
export interface CoordinatorStore {
  load(nowMs: number): Promise<StoredState>;
  /**
   * Joins a job of the same kind that waits and is asked for in the same way, if there is one, and lends it its class.
   * Throws `job_conflict` for a job_id that was used otherwise, `overloaded` when too many wait.
   */
  submit(submission: Submission, nowMs: number): Promise<Submitted | null>;
  /** queued -> waiting_for_memory: takes the slot's lock with a new token and asks for a lease. */
  takeSlot(taking: TakeSlot, nowMs: number): Promise<boolean>;
  drainLease(leaseId: string, reason: string, nowMs: number): Promise<boolean>;
  grantLease(leaseId: string, reason: string, nowMs: number): Promise<boolean>;
  refuseLease(leaseId: string, reason: string, nowMs: number): Promise<boolean>;
  /** Asks the holder of a granted lease, who is no job of this queue, to give it back. */
  reclaimLease(leaseId: string, reason: string, nowMs: number): Promise<boolean>;
  /** Kept as evidence of what this model type needs; told twice of one attempt, it counts once. */
  noteMemory(taken: TakenMemory, nowMs: number): Promise<void>;
  /** Says why a lease waits. */
  explainLease(leaseId: string, reason: string): Promise<void>;
  expireLease(leaseId: string, nowMs: number): Promise<boolean>;
  /** Ends these leases, then frees these slots if they still have these tokens. For what no job of this queue holds. */
  releaseSilent(silent: Silent, reason: string, nowMs: number): Promise<void>;
  /** waiting_for_memory -> starting, attempt + 1. */
  beginStart(jobId: string, reason: string, nowMs: number): Promise<boolean>;
  /** starting -> training, if this token is still the job's. */
  markTraining(jobId: string, token: number, nowMs: number): Promise<boolean>;
  /** training -> preempting; remembered, so that it does not happen to one job too often. */
  beginPreempt(jobId: string, reason: string, nowMs: number): Promise<boolean>;
  /** Back to the queue, giving back lease and slot. */
  requeue(jobId: string, retry: Retry, nowMs: number): Promise<boolean>;
  /** To a terminal state, giving back lease and slot. What it means for the breaker of its kind is in the same transaction. */
  end(
    jobId: string,
    end: JobEnd,
    detail: { reason: string; modelVersion: string | null; error: string | null },
    nowMs: number,
  ): Promise<boolean>;
  /** Asks for cancellation; answers the state that the job was in, null when there is no such job. */
  requestCancel(jobId: string, nowMs: number): Promise<JobEvent['state'] | null>;
  progress(
    jobId: string,
    progress: { epoch: number; totalEpochs: number; loss: number | null; accuracy: number | null },
    nowMs: number,
  ): Promise<void>;
  moveCursor(jobId: string, cursor: number): Promise<void>;
  /** Why each of these jobs waits, in one transaction. */
  explain(reasons: readonly { readonly jobId: string; readonly reason: string }[]): Promise<void>;
  /** Closes the breaker of a model type; false when it has none. */
  resetBreaker(modelType: ModelType): Promise<boolean>;
}

export interface Drain {
  readonly lease: LeaseView;
  /** What it lacks by the last measurement: whole, at least one. */
  readonly bytes: number;
}

/** Work outside that the present state calls for. The performer starts what is missing and ends what is no longer in it. */
export interface ExternalWork {
  /** Runs to be started (or asked for again: it is idempotent) at Reactor Core. */
  readonly start: readonly StoredJob[];
  /** Runs whose events are to be followed. */
  readonly follow: readonly StoredJob[];
  /** Runs to be stopped at a checkpoint. */
  readonly preempt: readonly StoredJob[];
  /** Runs to be cancelled. */
  readonly cancel: readonly StoredJob[];
  /** Room that J-Prime is to be asked for. */
  readonly drain: readonly Drain[];
  /** No lease is out: J-Prime may have back what it gave. */
  readonly restore: boolean;
}

export interface Performer {
  perform(work: ExternalWork): void;
}

export interface RunEvent {
  readonly jobId: string;
  readonly seq: number;
  readonly event: string;
  readonly data: Readonly<Record<string, unknown>>;
}

export type { ModelType, Run };
