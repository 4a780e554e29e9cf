// Which rows judge: the threshold has to be set on answers to texts that the model didn't learn from.
//   the set marks validation rows   one model fits all training rows, the marked rows judge it
//   large set                       one model fits 95 %, the rest judges it: so many rows are hardly missed
//   middling set                    one model fits all; a probe fits 90 % and is judged on the rest, for the threshold only
//   small set                       one model fits all; three probes fit two thirds each, so that every row judges once
import { type SeededRandom, shuffle } from '@jarvis/trainer-kit';
import type { Example } from './corpus.ts';

const LARGE_ROWS = 6000;
const LARGE_FOLDS = 20;
const MIDDLING_ROWS = 1000;
const MIDDLING_FOLDS = 10;
const SMALL_FOLDS = 3;

/** What one model fits, and the rows it is judged on. */
export interface Fit {
  readonly fitted: readonly Example[];
  readonly judged: readonly Example[];
}

/** Deals the rows, label by label and shuffled within each, to the folds in turn. @returns the fold of each row */
function dealFolds(rows: readonly Example[], folds: number, random: SeededRandom): Int32Array {
  const order = Int32Array.from(rows, (_, i) => i);
  shuffle(order, random);
  // Sorting is stable: within a label the order stays as shuffled.
  const byLabel = [...order].sort((a, b) => rows[a]!.label - rows[b]!.label);
  const foldOf = new Int32Array(rows.length);
  for (const [turn, i] of byLabel.entries()) foldOf[i] = turn % folds;
  return foldOf;
}

/** Rows of a label that would have no row left are fitted: nobody could judge by them. */
function holdOut(rows: readonly Example[], foldOf: Int32Array, fold: number): Fit {
  const left = new Set(rows.filter((_, i) => foldOf[i] !== fold).map(({ label }) => label));
  const isJudged = (row: Example, i: number) => foldOf[i] === fold && left.has(row.label);
  return {
    fitted: rows.filter((row, i) => !isJudged(row, i)),
    judged: rows.filter(isJudged),
  };
}

/** The first fit is the model's, any others are probes. */
export function planFits(
  train: readonly Example[],
  validation: readonly Example[],
  random: SeededRandom,
): Fit[] {
  if (validation.length > 0) return [{ fitted: train, judged: validation }];
  const whole: Fit = { fitted: train, judged: [] };
  if (train.length >= LARGE_ROWS) {
    return [holdOut(train, dealFolds(train, LARGE_FOLDS, random), 0)];
  }
  if (train.length >= MIDDLING_ROWS) {
    return [whole, holdOut(train, dealFolds(train, MIDDLING_FOLDS, random), 0)];
  }
  if (train.length < SMALL_FOLDS) return [whole];
  const foldOf = dealFolds(train, SMALL_FOLDS, random);
  return [whole, ...[0, 1, 2].map((fold) => holdOut(train, foldOf, fold))];
}
