// A queue of so many jobs, of all classes, submitted over two hours, so that the older half has aged; one more trains.
import { BYTES_PER_GB, PRIORITY_CLASSES } from '@jarvis/contracts';
import type { JobView, MemoryView, SchedulingOptions, SchedulingSnapshot } from '@jarvis/policy';

const HOUR_MS = 3_600_000;
const SUBMITTED_OVER_MS = 2 * HOUR_MS;
const KINDS = ['voice', 'nlu', 'vision', 'embedding'] as const;

export const SCHEDULING: SchedulingOptions = {
  policy: 'wait',
  slotTimeoutMs: 300_000,
  agingMs: HOUR_MS,
  primeThresholdBytes: 20 * BYTES_PER_GB,
  primeIdleMs: 60_000,
  // No training of this bench gives way: what is counted is how often one goes through.
  preemptAfterMs: 24 * HOUR_MS,
  preemptionsPerHour: 3,
  breaker: { failures: 3, cooldownMs: 60_000, cooldownMaxMs: HOUR_MS },
};

export function roomyMemory(nowMs: number): MemoryView {
  return {
    measuredAtMs: nowMs,
    budgetBytes: 64 * BYTES_PER_GB,
    safetyBytes: 0,
    othersBytes: 4 * BYTES_PER_GB,
    othersSteadyBytes: 4 * BYTES_PER_GB,
    devices: {},
    services: [],
    holders: {},
    prime: null,
  };
}

/** When the nth of `count` was submitted, the first the longest ago. */
export function submittedAtMs(n: number, count: number, nowMs: number): number {
  return nowMs - SUBMITTED_OVER_MS + Math.floor((n * SUBMITTED_OVER_MS) / count);
}

function waitingJob(n: number, count: number, nowMs: number): JobView {
  return {
    jobId: `waiting-${n}`,
    modelType: KINDS[n % KINDS.length] ?? 'nlu',
    priority: PRIORITY_CLASSES[n % PRIORITY_CLASSES.length] ?? 'high',
    state: 'queued',
    submittedAtMs: submittedAtMs(n, count, nowMs),
    notBeforeMs: null,
    waitingSinceMs: null,
    slot: null,
    leaseId: null,
    need: { host_id: 'bench', ram_bytes: BYTES_PER_GB, vram_bytes: {} },
    leastRamBytes: BYTES_PER_GB,
    cancelRequested: false,
    maxWaitMs: 24 * HOUR_MS,
    hasRun: false,
    trainingSinceMs: null,
    preemptedAtMs: [],
  };
}

/** As the store loads it: the jobs in the order in which they were submitted. */
export function snapshotOf(count: number, nowMs: number): SchedulingSnapshot {
  const waiting = Array.from({ length: count }, (_, n) => waitingJob(n, count, nowMs));
  const training: JobView = {
    ...waitingJob(0, 1, nowMs),
    jobId: 'training',
    state: 'training',
    slot: 0,
    leaseId: 'lease',
    hasRun: true,
    trainingSinceMs: nowMs,
  };
  const { need } = training;
  return {
    nowMs,
    jobs: [training, ...waiting],
    slots: [{ slot: 0, holder: training.jobId }],
    leases: [
      {
        leaseId: 'lease',
        purpose: 'training',
        reclaimed: false,
        holder: training.jobId,
        state: 'granted',
        need,
        expiresAtMs: null,
      },
    ],
    memory: roomyMemory(nowMs),
    reactorAway: null,
    hold: null,
    justWoke: false,
    breakers: [],
    options: SCHEDULING,
  };
}
