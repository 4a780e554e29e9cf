// What JARVIS Core has on its disk. All of it survives a crash; nothing else does.
import type {
  JobEvent,
  JobState,
  LeasePurpose,
  LeaseState,
  LockState,
  ModelType,
  PriorityClass,
  ResourceVector,
} from '@jarvis/contracts';
import type { BreakerView, NeedObservation } from '@jarvis/policy';
import { slotLockName } from '@jarvis/contracts';

export interface CoreEvent {
  readonly seq: number;
  readonly type: 'state' | 'progress';
  readonly state: JobEvent['state'];
}

export interface JobRow {
  readonly jobId: string;
  readonly modelType: ModelType;
  priority: PriorityClass;
  state: JobState;
  reason: string;
  submittedAtMs: number;
  notBeforeMs: number | null;
  waitingSinceMs: number | null;
  slot: number | null;
  token: number | null;
  leaseId: string | null;
  need: ResourceVector;
  /** Whoever asked for it said so. */
  readonly needGiven: boolean;
  attempt: number;
  epoch: number;
  epochs: number;
  cancelRequested: boolean;
  runCursor: number;
  /** Its data set is frozen: from then on nothing joins it. */
  frozen: boolean;
  readonly maxWaitMs: number | null;
  trainingSinceMs: number | null;
  preemptedAtMs: readonly number[];
  readonly events: CoreEvent[];
}

export interface LockRow {
  readonly name: string;
  readonly slot: number | null;
  state: LockState;
  holder: string | null;
  requestId: string | null;
  token: number;
  expiresAtMs: number | null;
  ttlMs: number | null;
}

export interface LeaseRow {
  readonly leaseId: string;
  readonly holder: string;
  readonly purpose: LeasePurpose;
  state: LeaseState;
  readonly need: ResourceVector;
  expiresAtMs: number | null;
  reclaimed: boolean;
}

/** What an attempt took, as evidence of what its kind needs. */
export interface TakenRow extends NeedObservation {
  readonly jobId: string;
  readonly modelType: ModelType;
}

export interface CoreTables {
  readonly jobs: Map<string, JobRow>;
  readonly locks: Map<string, LockRow>;
  /** Ids of requests for locks that were cancelled, or had their grant. */
  readonly endedLockRequests: Map<string, true>;
  readonly leases: Map<string, LeaseRow>;
  readonly breakers: Map<ModelType, BreakerView>;
  /** By job and attempt, oldest first. */
  readonly taken: Map<string, TakenRow>;
  /** Indexes over the above: jobs and leases that have not ended. */
  readonly liveJobs: Set<JobRow>;
  readonly liveLeases: Set<LeaseRow>;
}

export function emptyTables(slots: number): CoreTables {
  const locks = new Map<string, LockRow>();
  for (let slot = 0; slot < slots; slot += 1) {
    const name = slotLockName(slot);
    locks.set(name, freeLock(name, slot));
  }
  return {
    jobs: new Map(),
    locks,
    endedLockRequests: new Map(),
    leases: new Map(),
    breakers: new Map(),
    taken: new Map(),
    liveJobs: new Set(),
    liveLeases: new Set(),
  };
}

export function freeLock(name: string, slot: number | null): LockRow {
  return {
    name,
    slot,
    state: 'free',
    holder: null,
    requestId: null,
    token: 0,
    expiresAtMs: null,
    ttlMs: null,
  };
}
