// What a scheduling cycle looks at: one immutable picture of queue, slots, leases and memory at one moment.
import type {
  JobState,
  LeasePurpose,
  LeaseState,
  ModelType,
  NegotiationPolicy,
  PriorityClass,
  ResourceVector,
} from '@jarvis/contracts';
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
  /** Bytes. Less than the need where that is a guess: as little may do. */
  readonly leastRamBytes: number;
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
  /** Whether memory is asked for to train, or by J-Prime to answer requests. */
  readonly purpose: LeasePurpose;
  readonly state: LeaseState;
  readonly need: ResourceVector;
  readonly expiresAtMs: number | null;
  /** Its holder was asked to give it back. */
  readonly reclaimed: boolean;
}

/** One GPU as measured, in bytes. */
export interface DeviceView {
  readonly totalBytes: number;
  /** By whomever. */
  readonly usedBytes: number;
  /** Of that by each holder of a lease. */
  readonly byHolder: Readonly<Record<string, number>>;
}

/** Memory of this host as measured, in bytes. */
export interface MemoryView {
  readonly measuredAtMs: number;
  readonly budgetBytes: number;
  readonly safetyBytes: number;
  /** Used on the machine by processes that are not ours. */
  readonly othersBytes: number;
  /** The least of that in the last two looks: what a single look has seen amiss stops no training. */
  readonly othersSteadyBytes: number;
  /** Each service's process tree, what leases are for apart. */
  readonly services: readonly { readonly owner: string; readonly measuredBytes: number }[];
  /** Each process tree that a lease is for, by its holder: the trainers by their jobs, and the LLM server. */
  readonly holders: Readonly<Record<string, number>>;
  readonly prime: {
    readonly heldBytes: number;
    readonly idleMs: number;
    readonly activeRequests: number;
    /** Its LLM comes into memory now, so that more will be held than is. Unset: it does not. */
    readonly isLoading?: boolean;
  } | null;
  readonly devices: Readonly<Record<string, DeviceView>>;
}

/** Why nobody trains now, whoever waits. */
export interface TrainingHold {
  /** With what would let it go, for a person. */
  readonly reason: string;
  /** Whether what trains stops at a checkpoint too. */
  readonly stopsRunning: boolean;
}

export interface SchedulingOptions {
  readonly policy: NegotiationPolicy;
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
  readonly hold: TrainingHold | null;
  /**
   * The machine slept, or this process was stopped: what holders should have renewed in the meantime they could not.
   */
  readonly justWoke: boolean;
  /** Of model types of which jobs failed lately. */
  readonly breakers: readonly BreakerView[];
  readonly options: SchedulingOptions;
}
