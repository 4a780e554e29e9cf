// The allowed chance of rolling a healthy version back, ROLLOUT_ALPHA, shared out over the guards, so that it holds for
// all of them together. The share of paired accuracy is kept for it also while no paired answers are gathered.
import type { Deployment } from '@jarvis/contracts';

export type GuardReading = Deployment['guards'][number];
export type Guard = GuardReading['guard'];

const ALPHA_SHARES = { error_share: 0.4, paired_accuracy: 0.4, failure_limit: 0.2 } as const satisfies Record<
  Guard,
  number
>;

/** The guard's part of alpha. */
export function guardAlpha(guard: Guard, alpha: number): number {
  return alpha * ALPHA_SHARES[guard];
}

/** The evidence at which the guard breaks: one over its part of alpha. */
export function guardThreshold(guard: Guard, alpha: number): number {
  return 1 / guardAlpha(guard, alpha);
}
