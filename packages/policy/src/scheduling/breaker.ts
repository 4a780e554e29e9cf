// The circuit breaker of a model type: after some failed jobs in a row, or some candidates in a row that were rolled back,
// its training is held back for a while, then one job is let through to try (Nygard, "Release It!", 2007: closed, open, half-open).
import { type BreakerCause, invariant, type ModelType } from '@jarvis/contracts';

export interface BreakerView {
  readonly modelType: ModelType;
  readonly cause: BreakerCause;
  /** Failed jobs since the last that completed, or candidates rolled back since the last that was promoted. */
  readonly failures: number;
  /** Until when it is open; null while it has never opened. */
  readonly openUntilMs: number | null;
  readonly lastError: string;
}

export interface BreakerRules {
  /** So many failures in a row open it. */
  readonly failures: number;
  /** How long it is open at first; twice as long each time a try fails. */
  readonly cooldownMs: number;
  readonly cooldownMaxMs: number;
}

export type BreakerState = 'closed' | 'open' | 'half_open';

export function breakerState(
  breaker: BreakerView | undefined,
  nowMs: number,
  { cooldownMaxMs }: Pick<BreakerRules, 'cooldownMaxMs'>,
): BreakerState {
  if (breaker === undefined || breaker.openUntilMs === null) return 'closed';
  const leftMs = breaker.openUntilMs - nowMs;
  // A clock that was set back must not hold it open for longer than it ever is.
  return leftMs > 0 && leftMs <= cooldownMaxMs ? 'open' : 'half_open';
}

/** What it is after one more job has failed; `before` is null when none failed lately. */
export function afterFailure(
  before: BreakerView | null,
  failed: { readonly modelType: ModelType; readonly error: string },
  nowMs: number,
  rules: BreakerRules,
): BreakerView {
  invariant(rules.failures >= 1, 'a breaker opens after at least one failure');
  const failures = (before?.failures ?? 0) + 1;
  return {
    modelType: failed.modelType,
    cause: 'failed_jobs',
    failures,
    openUntilMs: failures < rules.failures ? null : nowMs + cooldownMs(failures, rules),
    lastError: failed.error,
  };
}

export interface RolledBack {
  readonly modelType: ModelType;
  /** Candidates rolled back since the last that was promoted, at least 1. */
  readonly inARow: number;
  /** Why the newest was. */
  readonly reason: string;
}

/** What it is after one more candidate was rolled back; null while that is not often enough to hold anything back. */
export function afterRollback(
  { modelType, inARow, reason }: RolledBack,
  nowMs: number,
  rules: BreakerRules,
): BreakerView | null {
  if (inARow < rules.failures) return null;
  const openUntilMs = nowMs + cooldownMs(inARow, rules);
  return { modelType, cause: 'rollbacks', failures: inARow, openUntilMs, lastError: reason };
}

function cooldownMs(failures: number, rules: BreakerRules): number {
  return Math.min(rules.cooldownMs * 2 ** Math.max(0, failures - rules.failures), rules.cooldownMaxMs);
}
