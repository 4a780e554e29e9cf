// Paired accuracy: how many pairs on which the two versions differ it takes to see that the candidate loses more of them.
import {
  guardThreshold,
  observePair,
  pairedAccuracyEvidence,
  pairedEvidence,
  startPaired,
} from '@jarvis/policy';
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
  /** Only wrong answers are told of, unasked, while 75 % meet the candidate: the guard, which weighs them by that. */
  readonly spoken: Verdict;
  /** The same pairs, taken as if they had been asked for. */
  readonly spokenUnweighed: Verdict;
}

/** The candidate's weight where wrong answers are spoken of. */
const SPOKEN_WEIGHT = 0.75;

/** The candidate loses such a part of the pairs; the counts are of pairs. */
export function judgePairs(losses: number, random: Chance): PairVerdicts {
  const reached: Record<'guard' | 'alone' | 'signTest', Verdict> = {
    guard: null,
    alone: null,
    signTest: null,
  };
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
  return { ...reached, ...judgeSpoken(losses, random) };
}

/** Each pair of a session of its own, drawn by chance; told of only where the answer that was served is the wrong one. */
function judgeSpoken(losses: number, random: Chance): Pick<PairVerdicts, 'spoken' | 'spokenUnweighed'> {
  const threshold = guardThreshold('paired_accuracy', ALPHA);
  const reached: Record<'spoken' | 'spokenUnweighed', Verdict> = { spoken: null, spokenUnweighed: null };
  let weighed = startPaired();
  let unweighed = startPaired();
  for (let told = 0; told < PAIRS_MAX && Object.values(reached).includes(null);) {
    const served = random.unit() < SPOKEN_WEIGHT ? 'candidate' : 'stable';
    const wrong = random.unit() < losses ? 'candidate' : 'stable';
    if (wrong !== served) continue;
    told += 1;
    const pair = { wrong, served, weight: SPOKEN_WEIGHT, firstOfSession: true } as const;
    weighed = observePair(weighed, { ...pair, asked: false });
    unweighed = observePair(unweighed, { ...pair, asked: true });
    if (pairedEvidence(weighed).evidence >= threshold) reached.spoken ??= told;
    if (pairedEvidence(unweighed).evidence >= threshold) reached.spokenUnweighed ??= told;
  }
  return reached;
}
