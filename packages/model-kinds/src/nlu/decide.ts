// From probabilities to an answer: the best intent, or `oos` when that one wins or none is probable enough.
import { OUT_OF_SCOPE_INTENT } from '@jarvis/contracts';

export interface Verdict {
  readonly intent: string;
  readonly confidence: number;
  /** Probability of the best intent other than `oos`; what the threshold is compared with. */
  readonly best: number;
}

/**
 * @param probabilities one a label; only the `labels.length` values from `offset` on are read
 * @param threshold below it the answer is `oos`
 */
export function decide(
  labels: readonly string[],
  probabilities: Float32Array,
  threshold: number,
  offset = 0,
): Verdict {
  let intent = OUT_OF_SCOPE_INTENT;
  let best = 0;
  let outOfScope = 0;
  for (let i = 0; i < labels.length; i++) {
    const probability = probabilities[offset + i]!;
    if (labels[i] === OUT_OF_SCOPE_INTENT) outOfScope = probability;
    else if (probability > best) {
      best = probability;
      intent = labels[i]!;
    }
  }
  if (outOfScope > best || best < threshold)
    return { intent: OUT_OF_SCOPE_INTENT, confidence: 1 - best, best };
  return { intent, confidence: best, best };
}
