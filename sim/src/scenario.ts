// What one seed decides about the world before anything happens in it.
import { BYTES_PER_GB, type NegotiationPolicy } from '@jarvis/contracts';
import type { BreakerRules } from '@jarvis/policy';
import { Chance } from './kernel/chance.ts';

export interface Scenario {
  readonly seed: number;
  readonly hours: number;
  readonly slots: number;
  readonly lookIntervalMs: number;
  readonly lockTtlMs: number;
  readonly leaseTtlMs: number;
  readonly policy: NegotiationPolicy;
  readonly slotTimeoutMs: number;
  readonly agingMs: number;
  readonly retryLimit: number;
  readonly orphanGraceMs: number;
  readonly stopGraceMs: number;
  readonly silenceLimitMs: number;
  readonly budgetBytes: number;
  readonly safetyBytes: number;
  /** Of J-Prime's LLM. */
  readonly llmBytes: number;
  /** Of its small models, which load without asking: part of what the safety is for. */
  readonly smallBytes: number;
  /** Its LLM server is its child, and ends with it. */
  readonly llmIsChild: boolean;
  readonly primeIdleMs: number;
  readonly primeThresholdBytes: number;
  /** Probability of a mishap for one message. */
  readonly mishap: number;
  /** Mean time between two faults of one kind. */
  readonly faultEveryMs: number;
  /** Mean time between two submissions. */
  readonly submitEveryMs: number;
  readonly preemptAfterMs: number;
  readonly preemptionsPerHour: number;
  readonly breaker: BreakerRules;
}

const MINUTE_MS = 60_000;
const GB = BYTES_PER_GB;
/** More than this nobody asks for. */
export const NEED_BYTES_MAX = 18 * GB;
/** Nor more in truth, whatever was asked for: raised once more it fits into the smallest budget. */
export const TRUE_NEED_BYTES_MAX = 16 * GB;
const SMALL_MODELS_SHARE = 0.8;
export const NEED_BYTES_MIN = 1 * GB;

export function scenarioOf(seed: number, hours: number): Scenario {
  const chance = new Chance(seed * 7919 + 17);
  const among = <T>(...values: [T, ...T[]]): T => chance.pick(values) ?? values[0];
  const safetyBytes = among(0.25, 1) * GB;
  return {
    seed,
    hours,
    slots: among(1, 1, 2, 2, 3),
    policy: among('wait', 'serving_first', 'serving_first', 'training_first'),
    lookIntervalMs: among(2_000, 5_000, 10_000),
    lockTtlMs: among(20_000, 60_000),
    leaseTtlMs: among(20_000, 60_000),
    slotTimeoutMs: among(30_000, 120_000, 300_000),
    agingMs: among(2, 10, 60) * MINUTE_MS,
    retryLimit: among(0, 1, 3, 3),
    orphanGraceMs: among(10_000, 30_000, 600_000),
    stopGraceMs: among(5_000, 30_000),
    budgetBytes: among(32, 48, 64) * GB,
    safetyBytes,
    llmBytes: among(10, 16, 24) * GB,
    smallBytes: Math.round(SMALL_MODELS_SHARE * safetyBytes),
    llmIsChild: among(true, false),
    primeIdleMs: among(15_000, 45_000),
    primeThresholdBytes: 20 * GB,
    mishap: among(0, 0.002, 0.01, 0.03),
    faultEveryMs: among(6, 12, 25) * MINUTE_MS,
    submitEveryMs: among(15_000, 30_000, 60_000),
    preemptAfterMs: among(0, 5_000, 30_000),
    preemptionsPerHour: among(1, 3),
    breaker: {
      failures: among(1, 2, 3),
      cooldownMs: among(30_000, 300_000),
      cooldownMaxMs: 20 * MINUTE_MS,
    },
    silenceLimitMs: among(60_000, 120_000, 300_000),
  };
}
