// The allowed chance of rolling a healthy version back, ROLLOUT_ALPHA, shared out over the guards, so that it holds for
// all of them together.
import type { Deployment } from '@jarvis/contracts';

export type GuardReading = Deployment['guards'][number];
export type Guard = GuardReading['guard'];

/** Whole twentieths, so that most thresholds are round numbers. Slow answers harm least and come most often. */
const TWENTIETHS = {
  error_share: 8,
  slow_answers: 1,
  paired_accuracy: 7,
  failure_limit: 4,
} as const satisfies Record<Guard, number>;

/** The guard's part of alpha. */
export function guardAlpha(guard: Guard, alpha: number): number {
  return (alpha * TWENTIETHS[guard]) / 20;
}

/** The evidence at which the guard breaks: one over its part of alpha. */
export function guardThreshold(guard: Guard, alpha: number): number {
  return 20 / (alpha * TWENTIETHS[guard]);
}
