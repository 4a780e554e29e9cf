// When the evidence of a rollout is worth noting again for its report: often at first, seldom later.
//
// With gaps of at least a 200th of the time since the first sample there are some 200 * ln(duration / first gap) of them:
// 1,500 for a rollout that holds for half a year, and not one for each look.

/** So many samples of a step, when the rollout is young. */
const SAMPLES_OF_A_STEP = 20;
const GAP_MIN_MS = 1_000;
const GAP_OF_AGE = 1 / 200;

export interface Sampling {
  /** When the rollout began. */
  readonly startedMs: number;
  /** Null: none was taken yet. */
  readonly lastMs: number | null;
  readonly nowMs: number;
  readonly stepSeconds: number;
}

export function isSampleDue({ startedMs, lastMs, nowMs, stepSeconds }: Sampling): boolean {
  if (lastMs === null) return true;
  const ofStep = (stepSeconds * 1000) / SAMPLES_OF_A_STEP;
  const gapMs = Math.max(GAP_MIN_MS, ofStep, (nowMs - startedMs) * GAP_OF_AGE);
  // A clock that was set back must not end the samples.
  return nowMs - lastMs >= gapMs || nowMs < lastMs;
}
