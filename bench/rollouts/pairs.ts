// Paired accuracy: how many pairs on which the two versions differ it takes to see that the candidate loses more of them.
import { guardThreshold, pairedAccuracyEvidence } from '@jarvis/policy';
import { ALPHA, type Verdict } from './ours.ts';
import { Z_OF_ALPHA } from './rivals.ts';
import type { Chance } from './traffic.ts';

export const PAIRS_MAX = 200;
const Z_PAIRS_MIN = 10;

export interface PairVerdicts {
  /** With the guard's part of alpha. */
  readonly guard: Verdict;
  /** With all of alpha. */
  readonly alone: Verdict;
  /** A sign test by the normal approximation, one-sided, looked at after each pair. */
  readonly signTest: Verdict;
}

/** The candidate loses such a part of the pairs; the counts are of pairs. */
export function judgePairs(losses: number, random: Chance): PairVerdicts {
  const reached = { guard: null, alone: null, signTest: null } as Record<keyof PairVerdicts, Verdict>;
  let candidateWrong = 0;
  for (let pairs = 1; pairs <= PAIRS_MAX; pairs += 1) {
    if (random.unit() < losses) candidateWrong += 1;
    const stableWrong = pairs - candidateWrong;
    const z = (candidateWrong - stableWrong) / Math.sqrt(pairs);
    if (pairs >= Z_PAIRS_MIN && z > Z_OF_ALPHA) reached.signTest ??= pairs;
    if (reached.guard !== null) continue;
    const { evidence } = pairedAccuracyEvidence({ candidateWrong, stableWrong });
    if (evidence >= 1 / ALPHA) reached.alone ??= pairs;
    if (evidence >= guardThreshold('paired_accuracy', ALPHA)) reached.guard = pairs;
  }
  return reached;
}
