// Scheduling options for tests in which time and memory decide nothing.
import type { SchedulingOptions } from '@jarvis/policy';

export const SCHEDULING: SchedulingOptions = {
  policy: 'wait',
  slotTimeoutMs: 1,
  agingMs: 1,
  primeThresholdBytes: 1,
  primeIdleMs: 1,
  preemptAfterMs: 0,
  preemptionsPerHour: 1,
  breaker: { failures: 1, cooldownMs: 1, cooldownMaxMs: 1 },
};
