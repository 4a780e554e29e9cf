// What a scheduling cycle looks at: one immutable picture of queue, slots, leases and memory at one moment.
import type { JobState, LeaseState, ModelType, PriorityClass, ResourceVector } from '@jarvis/contracts';
import type { BreakerRules, BreakerView } from './breaker.ts';

export interface JobView {
  readonly jobId: string;
  readonly modelType: ModelType;
  readonly priority: PriorityClass;
  readonly state: JobState;
  readonly submittedAtMs: number;
  /** A retry waits until then. */
  readonly notBeforeMs: number | null;
  /** Since when it holds a slot and waits for memory. */
  readonly waitingSinceMs: number | null;
  readonly slot: number | null;
  readonly leaseId: string | null;
  readonly need: ResourceVector;
  readonly cancelRequested: boolean;
  /** How long it may wait for its first start; null: as long as it takes. */
  readonly maxWaitMs: number | null;
  /** An attempt of it was started once. */
  readonly hasRun: boolean;
  /** Since when its present attempt trains. */
  readonly trainingSinceMs: number | null;
  /** When it was told to give way, as far as that counts. */
  readonly preemptedAtMs: readonly number[];
}

export interface SlotView {
  readonly slot: number;
  readonly holder: string | null;
}

export interface LeaseView {
  readonly leaseId: string;
  /** The job that it is for; not always one of this queue. */
  readonly holder: string;
  readonly state: LeaseState;
  readonly need: ResourceVector;
  readonly expiresAtMs: number | null;
}

/** Memory of this host as measured, in bytes. */
export interface MemoryView {
  readonly measuredAtMs: number;
  readonly budgetBytes: number;
  readonly safetyBytes: number;
  /** Used on the machine by processes that are not ours. */
  readonly othersBytes: number;
  /** Each service's process tree, trainers apart. */
  readonly services: readonly { readonly owner: string; readonly measuredBytes: number }[];
  /** Each trainer's process tree, by job. */
  readonly trainers: Readonly<Record<string, number>>;
  readonly prime: {
    readonly heldBytes: number;
    readonly idleMs: number;
    readonly activeRequests: number;
  } | null;
}

export interface SchedulingOptions {
  readonly slotTimeoutMs: number;
  /** A job that waited for so long counts one class higher. */
  readonly agingMs: number;
  readonly primeThresholdBytes: number;
  readonly primeIdleMs: number;
  /** A training that has just begun is not told to give way. */
  readonly preemptAfterMs: number;
  /** One that was told so so often within an hour neither. */
  readonly preemptionsPerHour: number;
  readonly breaker: BreakerRules;
}

export interface SchedulingSnapshot {
  readonly nowMs: number;
  readonly jobs: readonly JobView[];
  readonly slots: readonly SlotView[];
  readonly leases: readonly LeaseView[];
  /** null: nothing was measured yet. */
  readonly memory: MemoryView | null;
  /** null: Reactor Core answers and its runs are known; otherwise why nothing can be started, for a person. */
  readonly reactorAway: string | null;
  /** Of model types of which jobs failed lately. */
  readonly breakers: readonly BreakerView[];
  readonly options: SchedulingOptions;
}
