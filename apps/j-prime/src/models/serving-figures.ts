// What one version in memory has done, by arm: kept with the version, so that its series leave /metrics with it.
import type { Arm } from '@jarvis/contracts';
import { type Distribution, newDistribution, noteIn } from '@jarvis/runtime';

export interface ArmFigures {
  requests: number;
  failures: number;
  /** From asking to the answer, waiting included. */
  readonly durations: Distribution;
  /** Inputs of each run. */
  readonly batches: Distribution;
}

export class ServingFigures {
  readonly #arms = new Map<Arm, ArmFigures>();

  get byArm(): ReadonlyMap<Arm, ArmFigures> {
    return this.#arms;
  }

  /** Of both arms. */
  sum(of: 'requests' | 'failures'): number {
    return [...this.#arms.values()].reduce((sum, figures) => sum + figures[of], 0);
  }

  noteAnswer(arm: Arm, tookMs: number, isFailure: boolean): void {
    const figures = this.#of(arm);
    figures.requests += 1;
    if (isFailure) figures.failures += 1;
    noteIn(figures.durations, 'jarvis_prediction_duration_seconds', tookMs / 1000);
  }

  noteRun(arm: Arm, inputs: number): void {
    noteIn(this.#of(arm).batches, 'jarvis_prediction_batch_inputs', inputs);
  }

  #of(arm: Arm): ArmFigures {
    const known = this.#arms.get(arm);
    if (known !== undefined) return known;
    const made: ArmFigures = {
      requests: 0,
      failures: 0,
      durations: newDistribution('jarvis_prediction_duration_seconds'),
      batches: newDistribution('jarvis_prediction_batch_inputs'),
    };
    this.#arms.set(arm, made);
    return made;
  }
}
