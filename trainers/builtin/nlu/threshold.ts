// How probable an answer has to be. Some right answers may be lost for it, half a percent of those in scope, no more:
// that number is steady even where there are few examples, or none, of what is out of scope.
import { OUT_OF_SCOPE_INTENT } from '@jarvis/contracts';

const RIGHT_ANSWERS_LOST_MAX = 0.005;
/** However sure the model was of everything it was judged on, an answer more likely right than wrong is given. */
const THRESHOLD_MAX = 0.5;
/** Without rows to judge by: this many times what a blind guess would have. */
const BLIND_GUESSES = 4;

/** One judged row: what was right, what was answered without any threshold, and how probable the best intent was. */
export interface Judgement {
  readonly expected: string;
  readonly answered: string;
  readonly best: number;
}

export function chooseThreshold(judgements: readonly Judgement[], labels: number): number {
  const inScope = judgements.filter(({ expected }) => expected !== OUT_OF_SCOPE_INTENT);
  const right = inScope
    .filter(({ expected, answered }) => answered === expected)
    .map(({ best }) => best)
    .sort((a, b) => a - b);
  const firstKept = right[Math.floor(inScope.length * RIGHT_ANSWERS_LOST_MAX)];
  return Math.min(THRESHOLD_MAX, firstKept ?? BLIND_GUESSES / Math.max(1, labels));
}

/** Accuracy in scope and recall out of it at a threshold, as parts of one; a name is absent where no row was judged. */
export function scoreJudgements(judgements: readonly Judgement[], threshold: number): Record<string, number> {
  const counts = { inScope: 0, right: 0, outOfScope: 0, refused: 0 };
  for (const { expected, answered, best } of judgements) {
    const answer = best < threshold ? OUT_OF_SCOPE_INTENT : answered;
    if (expected === OUT_OF_SCOPE_INTENT) {
      counts.outOfScope += 1;
      if (answer === OUT_OF_SCOPE_INTENT) counts.refused += 1;
    } else {
      counts.inScope += 1;
      if (answer === expected) counts.right += 1;
    }
  }
  return {
    ...(counts.inScope > 0 && { validation_accuracy: counts.right / counts.inScope }),
    ...(counts.outOfScope > 0 && { validation_oos_recall: counts.refused / counts.outOfScope }),
  };
}
