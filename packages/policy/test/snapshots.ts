// Snapshots for tests of scheduling: one free slot, much memory, nothing in the queue, unless told otherwise.
import { BYTES_PER_GB } from '@jarvis/contracts';
import {
  type BreakerRules,
  type Decision,
  type JobView,
  type LeaseView,
  type MemoryView,
  schedule,
  type SchedulingSnapshot,
} from '../src/index.ts';

export const NOW = 1_000_000_000;
export const HOUR = 3_600_000;
export const BREAKER: BreakerRules = { failures: 3, cooldownMs: 60_000, cooldownMaxMs: HOUR };
export const need = (gb: number) => ({ host_id: 'h', ram_bytes: gb * BYTES_PER_GB, vram_bytes: {} });

export function job(over: Partial<JobView> = {}): JobView {
  return {
    jobId: 'j1',
    modelType: 'nlu',
    priority: 'high',
    state: 'queued',
    submittedAtMs: NOW - 1000,
    notBeforeMs: null,
    waitingSinceMs: null,
    slot: null,
    leaseId: null,
    need: need(1),
    leastRamBytes: (over.need ?? need(1)).ram_bytes,
    cancelRequested: false,
    maxWaitMs: null,
    hasRun: false,
    trainingSinceMs: null,
    preemptedAtMs: [],
    ...over,
  };
}
export function memory(over: Partial<MemoryView> = {}): MemoryView {
  return {
    measuredAtMs: NOW,
    budgetBytes: 64 * BYTES_PER_GB,
    safetyBytes: 0,
    othersBytes: 4 * BYTES_PER_GB,
    othersSteadyBytes: 4 * BYTES_PER_GB,
    devices: {},
    services: [{ owner: 'j-prime', measuredBytes: 10 * BYTES_PER_GB }],
    holders: {},
    prime: { heldBytes: 10 * BYTES_PER_GB, idleMs: 0, activeRequests: 0 },
    ...over,
  };
}
export function lease(over: Partial<LeaseView> = {}): LeaseView {
  return {
    leaseId: 'l1',
    holder: 'j1',
    purpose: 'training',
    state: 'requested',
    need: need(40),
    expiresAtMs: null,
    reclaimed: false,
    ...over,
  };
}
export function snapshot(over: Partial<SchedulingSnapshot> = {}): SchedulingSnapshot {
  return {
    nowMs: NOW,
    jobs: [],
    slots: [{ slot: 0, holder: null }],
    leases: [],
    memory: memory(),
    reactorAway: null,
    hold: null,
    justWoke: false,
    options: {
      policy: 'wait',
      slotTimeoutMs: 300_000,
      agingMs: HOUR,
      primeThresholdBytes: 20 * BYTES_PER_GB,
      primeIdleMs: 60_000,
      preemptAfterMs: 30_000,
      preemptionsPerHour: 3,
      breaker: BREAKER,
    },
    breakers: [],
    ...over,
  };
}

/** What is decided, without the words. */
export const kinds = (s: SchedulingSnapshot): Decision['type'][] =>
  schedule(s)
    .filter((d) => d.type !== 'explain' && d.type !== 'explain_lease')
    .map((d) => d.type);

/** The sentence that a job is told; empty when it is told none. */
export function told(s: SchedulingSnapshot, jobId: string): string {
  const found = schedule(s).find((d) => d.type === 'explain' && d.jobId === jobId);
  return found?.type === 'explain' ? found.reason : '';
}
