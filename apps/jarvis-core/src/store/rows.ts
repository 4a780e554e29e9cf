// Rows of the queue's tables, as they are stored, and what the rest of the program sees of them.
import type {
  Job,
  JobState,
  LeasePurpose,
  LeaseState,
  Lease,
  Lock,
  LockState,
  ModelType,
  PriorityClass,
  ResourceVector,
} from '@jarvis/contracts';
import type { StoredJob } from '@jarvis/coordinator';
import type { LearnedNeed, LeaseView } from '@jarvis/policy';
import { isoOf } from '@jarvis/runtime';

/** What a driver answers for a 64-bit column: SQLite numbers, Postgres text. */
type Big = number | string;

export interface JobRow {
  readonly job_id: string;
  readonly model_type: ModelType;
  readonly priority: PriorityClass;
  readonly state: JobState;
  readonly reason: string;
  readonly source: string;
  readonly epochs: Big;
  readonly config: string;
  readonly auto_deploy: number;
  readonly need_ram: Big;
  readonly need_vram: string;
  /** 1: whoever asked for it said so. */
  readonly need_given: number;
  readonly submitted_at: Big;
  readonly not_before: Big | null;
  readonly waiting_since: Big | null;
  readonly ended_at: Big | null;
  readonly attempt: Big;
  readonly slot: Big | null;
  readonly token: Big | null;
  readonly lease_id: string | null;
  readonly epoch: Big;
  readonly loss: number | null;
  readonly accuracy: number | null;
  readonly model_version: string | null;
  readonly error: string | null;
  readonly cancel_requested: number;
  readonly run_cursor: Big;
  readonly dataset_sha256: string | null;
  readonly dataset_rows: Big | null;
  readonly data_through: Big | null;
  readonly max_wait: Big | null;
  readonly training_since: Big | null;
  /** JSON: when it was told to give way, in ms. */
  readonly preempted_at: string;
}

export interface LockRow {
  readonly name: string;
  readonly state: LockState;
  readonly holder: string | null;
  readonly token: Big;
  readonly expires_at: Big | null;
  readonly ttl_ms: Big | null;
  readonly request_id: string | null;
}

export interface LeaseRow {
  readonly lease_id: string;
  readonly holder: string;
  readonly purpose: LeasePurpose;
  readonly state: LeaseState;
  readonly need_ram: Big;
  readonly need_vram: string;
  readonly reason: string;
  readonly granted_at: Big | null;
  readonly expires_at: Big | null;
  readonly reclaim: string | null;
}

export function numberOrNull(value: Big | null): number | null {
  return value === null ? null : Number(value);
}
function isoOrNull(value: Big | null): string | null {
  return value === null ? null : isoOf(Number(value));
}

function needOf(row: { need_ram: Big; need_vram: string }, hostId: string): ResourceVector {
  return {
    host_id: hostId,
    ram_bytes: Number(row.need_ram),
    vram_bytes: JSON.parse(row.need_vram) as Record<string, number>,
  };
}

export function jobOf(row: JobRow): Job {
  return {
    job_id: row.job_id,
    model_type: row.model_type,
    priority: row.priority,
    state: row.state,
    reason: row.reason,
    submitted_at: isoOf(Number(row.submitted_at)),
    ended_at: isoOrNull(row.ended_at),
    attempt: Number(row.attempt),
    slot: numberOrNull(row.slot),
    token: numberOrNull(row.token),
    lease_id: row.lease_id,
    epoch: Number(row.epoch),
    total_epochs: Number(row.epochs),
    loss: row.loss,
    accuracy: row.accuracy,
    model_version: row.model_version,
    error: row.error,
    dataset_sha256: row.dataset_sha256,
    not_before: isoOrNull(row.not_before),
  };
}

/** What the coordinator looks at in each cycle, of every job that has not ended; the rest of a row it never asks for. */
export const STORED_JOB_COLUMNS = [
  'job_id',
  'model_type',
  'priority',
  'state',
  'submitted_at',
  'not_before',
  'waiting_since',
  'slot',
  'lease_id',
  'need_ram',
  'need_vram',
  'need_given',
  'dataset_rows',
  'cancel_requested',
  'attempt',
  'token',
  'run_cursor',
  'reason',
  'max_wait',
  'training_since',
  'preempted_at',
] as const satisfies readonly (keyof JobRow)[];
export type StoredJobRow = Pick<JobRow, (typeof STORED_JOB_COLUMNS)[number]>;

/** @param learned what it needs by now; null once it has been given what it asked for */
export function storedJobOf(row: StoredJobRow, hostId: string, learned: LearnedNeed | null): StoredJob {
  const asked = needOf(row, hostId);
  const ram_bytes = row.state === 'queued' && learned !== null ? learned.bytes : asked.ram_bytes;
  return {
    jobId: row.job_id,
    modelType: row.model_type,
    priority: row.priority,
    state: row.state,
    submittedAtMs: Number(row.submitted_at),
    notBeforeMs: numberOrNull(row.not_before),
    waitingSinceMs: numberOrNull(row.waiting_since),
    slot: numberOrNull(row.slot),
    leaseId: row.lease_id,
    need: { ...asked, ram_bytes },
    leastRamBytes: Math.min(ram_bytes, learned?.leastBytes ?? ram_bytes),
    cancelRequested: row.cancel_requested !== 0,
    attempt: Number(row.attempt),
    token: numberOrNull(row.token),
    runCursor: Number(row.run_cursor),
    reason: row.reason,
    maxWaitMs: numberOrNull(row.max_wait),
    hasRun: Number(row.attempt) > 0 || Number(row.run_cursor) > 0,
    trainingSinceMs: numberOrNull(row.training_since),
    preemptedAtMs: preemptedAt(row),
  };
}

export function preemptedAt({ preempted_at }: Pick<JobRow, 'preempted_at'>): number[] {
  return JSON.parse(preempted_at) as number[];
}

export function leaseViewOf(row: LeaseRow, hostId: string): LeaseView {
  return {
    leaseId: row.lease_id,
    holder: row.holder,
    purpose: row.purpose,
    state: row.state,
    need: needOf(row, hostId),
    expiresAtMs: numberOrNull(row.expires_at),
    reclaimed: row.reclaim !== null,
  };
}

export function leaseOf(row: LeaseRow, hostId: string, ttlSeconds: number): Lease {
  return {
    lease_id: row.lease_id,
    holder: row.holder,
    purpose: row.purpose,
    state: row.state,
    need: needOf(row, hostId),
    reason: row.reason,
    granted_at: isoOrNull(row.granted_at),
    expires_at: isoOrNull(row.expires_at),
    ttl_seconds: ttlSeconds,
    reclaim_requested: row.reclaim,
  };
}

export function lockOf(row: LockRow): Lock {
  return {
    name: row.name,
    state: row.state,
    holder: row.holder,
    token: Number(row.token),
    expires_at: isoOrNull(row.expires_at),
  };
}
