// The strategies as presets of one engine: each is a list of weights, in percent, that rises to 100.
import { CodedError, type Strategy } from '@jarvis/contracts';

export interface StepPlanOptions {
  readonly strategy: Strategy;
  /** ROLLOUT_STEPS, rising to 100. */
  readonly steps: readonly number[];
  /** AB_TEST_INITIAL_PERCENTAGE: the first weight; the steps above it follow. */
  readonly initialPercentage: number;
  /** AB_TEST_GRADUAL_ROLLOUT; false: from the first weight straight to 100. */
  readonly gradual: boolean;
}

/** The rollout's weights in percent, rising, the last one 100. Throws `unsupported_strategy`. */
export function planSteps({ strategy, steps, initialPercentage, gradual }: StepPlanOptions): number[] {
  switch (strategy) {
    case 'immediate':
      return [100];
    case 'gradual_rollout': {
      if (initialPercentage >= 100) return [100];
      const later = gradual ? steps.filter((step) => step > initialPercentage && step < 100) : [];
      return [initialPercentage, ...later, 100];
    }
    case 'ab_test':
    case 'canary':
    case 'blue_green':
      throw new CodedError(
        'unsupported_strategy',
        `The strategy ${strategy} is not built yet. Use gradual_rollout or immediate.`,
      );
  }
}
