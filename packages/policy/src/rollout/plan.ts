// The strategies as presets of one engine: each is a list of weights, in percent, and what lets the last of them pass.
//
//   immediate        100                       at once
//   gradual_rollout  10, 25, 50, 75, 100       each after its time, with enough requests, while no guard is broken
//   canary           10, 100                   likewise
//   blue_green       0, 100                    at 0 the candidate answers in the shadow only; then everybody at once
//   ab_test          50                        promoted once it is shown to be no worse; else it holds, for a person
import type { Strategy } from '@jarvis/contracts';

/** Even halves tell most. */
const AB_TEST_PERCENT = 50;

export interface StepPlanOptions {
  readonly strategy: Strategy;
  /** ROLLOUT_STEPS, rising to 100. */
  readonly steps: readonly number[];
  /** AB_TEST_INITIAL_PERCENTAGE: the first weight; the steps above it follow. */
  readonly initialPercentage: number;
  /** Whether that weight was asked for with this deployment. */
  readonly initialIsAsked: boolean;
  /** AB_TEST_GRADUAL_ROLLOUT; false: from the first weight straight to 100. */
  readonly gradual: boolean;
}

/** What it takes beyond time, traffic and whole guards: nothing, or evidence that the candidate is no worse. */
export type Promotion = 'unless_broken' | 'when_shown';

export interface StepPlan {
  /** Weights in percent, rising. */
  readonly steps: number[];
  readonly promotion: Promotion;
}

export function planSteps(options: StepPlanOptions): StepPlan {
  const { strategy, steps, initialPercentage: first, gradual } = options;
  switch (strategy) {
    case 'immediate':
      return unlessBroken([100]);
    case 'gradual_rollout':
      return unlessBroken(gradual ? [first, ...steps.filter((step) => step > first)] : [first, 100]);
    case 'canary':
      return unlessBroken([first, 100]);
    case 'blue_green':
      return unlessBroken([0, 100]);
    case 'ab_test':
      return { steps: [options.initialIsAsked ? first : AB_TEST_PERCENT], promotion: 'when_shown' };
  }
}

function unlessBroken(steps: readonly number[]): StepPlan {
  const below = steps.filter((step) => step < 100);
  return { steps: [...below, 100], promotion: 'unless_broken' };
}
