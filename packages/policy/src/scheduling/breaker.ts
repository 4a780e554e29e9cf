// The circuit breaker of a model type: after some failed jobs in a row its training is held back for a while, then one
// job is let through to try (Nygard, "Release It!", 2007: closed, open, half-open).
import { invariant, type ModelType } from '@jarvis/contracts';

export interface BreakerView {
  readonly modelType: ModelType;
  /** Failed jobs since the last that completed. */
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
  const beyond = failures - rules.failures;
  const cooldownMs = Math.min(rules.cooldownMs * 2 ** Math.max(0, beyond), rules.cooldownMaxMs);
  return {
    modelType: failed.modelType,
    failures,
    openUntilMs: beyond < 0 ? null : nowMs + cooldownMs,
    lastError: failed.error,
  };
}
