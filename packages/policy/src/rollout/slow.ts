// Which answers of a rollout count as slow: those above the stable version's 95th percentile, as it was when the rollout
// began. Frozen, since a limit that moved with the traffic would follow a candidate that slows the machine down for both.
import { invariant } from '@jarvis/contracts';

const SLOW_QUANTILE = 0.95;
/** Fewer say too little about a 95th percentile. */
export const LATENCIES_MIN = 100;
/** Whoever waits notices nothing below this; there a small model's percentile would only tell of the machine's noise. */
const SLOW_LEAST_MS = 20;

/** Milliseconds above which an answer is slow; null where too few are known. */
export function slowLimitMs(latenciesMs: readonly number[]): number | null {
  if (latenciesMs.length < LATENCIES_MIN) return null;
  const sorted = latenciesMs.toSorted((a, b) => a - b);
  const limit = sorted[Math.ceil(SLOW_QUANTILE * sorted.length) - 1];
  invariant(limit !== undefined, 'a quantile is one of the values');
  return Math.max(limit, SLOW_LEAST_MS);
}
