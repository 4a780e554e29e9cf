// The allowed chance of rolling a healthy version back, ROLLOUT_ALPHA, shared out over the guards, so that it holds for
// all of them together. The share of paired accuracy is kept for it also while no paired answers are gathered.
import type { Deployment } from '@jarvis/contracts';

export type GuardReading = Deployment['guards'][number];
export type Guard = GuardReading['guard'];

/** Whole fifths, so that a threshold is the round number that it ought to be. */
const FIFTHS = { error_share: 2, paired_accuracy: 2, failure_limit: 1 } as const satisfies Record<
  Guard,
  number
>;

/** The guard's part of alpha. */
export function guardAlpha(guard: Guard, alpha: number): number {
  return (alpha * FIFTHS[guard]) / 5;
}

/** The evidence at which the guard breaks: one over its part of alpha. */
export function guardThreshold(guard: Guard, alpha: number): number {
  return 5 / (alpha * FIFTHS[guard]);
}
