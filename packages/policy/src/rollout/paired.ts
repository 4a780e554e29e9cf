// Guard 2: the candidate is less accurate. Both versions answered the same input, and a judgement came later; only pairs
// where just one of them was right count. c = candidate wrong and stable right, s = the reverse.
//
// Who was asked for a judgement gives one whether the answer was right or not: then c and s are equally likely if both
// are equally accurate, and with n = c + s  E = 2^(n+1) * B(c+1, s+1) * (1 - I_half(c+1, s+1)), which is the absolute
// limit (Guard 3) of 1/2 on c out of n.
//
// Who speaks up unasked does so for wrong answers, above all. A session that the candidate serves then tells of c and
// never of s, so at a weight of 75 % an equally good candidate loses three of four such pairs. What is even then is the
// assignment: with equal accuracy a judgement "wrong" is of the candidate's answer with chance w, "right" of it with
// chance w too, so of c with chance w or 1-w. That is the bet of Guard 1, at most one pair a session.
//
// Each factor's mean is at most 1 given all that came before, so the product of the two is evidence as well.
import { type Arm, invariant } from '@jarvis/contracts';
import { eValueOf, type EValue } from './e-value.ts';
import {
  errorShareEvidence,
  type ErrorShareState,
  observeErrorShare,
  startErrorShare,
} from './error-share.ts';
import { failureLimitEvidence } from './failure-limit.ts';

export interface DiscordantPairs {
  /** c: the stable version was right and the candidate wrong. */
  readonly candidateWrong: number;
  /** s: the candidate was right and the stable version wrong. */
  readonly stableWrong: number;
}

/** Plain JSON, so that it is stored and goes on after a restart. */
export interface PairedState {
  readonly asked: DiscordantPairs;
  readonly unasked: DiscordantPairs;
  /** The bets on the pairs of `unasked`. */
  readonly share: ErrorShareState;
}

export interface JudgedPair {
  /** Whose answer was wrong; the other's was right. */
  readonly wrong: Arm;
  /** Whose answer the judgement is about. */
  readonly served: Arm;
  /** The candidate's weight, 0 to 1, when the request was assigned. */
  readonly weight: number;
  /** The judgement was asked for, whatever the answer had been. */
  readonly asked: boolean;
  /** No other pair of this session was judged unasked in this rollout before. */
  readonly firstOfSession: boolean;
}

/** Whose answer was wrong, where the other's was right; null where that is not known, or the two were alike in it. */
export function wrongOf(right: Readonly<Record<Arm, boolean>>): Arm | null {
  if (right.stable === right.candidate) return null;
  return right.stable ? 'candidate' : 'stable';
}

const NONE: DiscordantPairs = { candidateWrong: 0, stableWrong: 0 };

export function startPaired(): PairedState {
  return { asked: NONE, unasked: NONE, share: startErrorShare({ toleratedRiskRatio: 1 }) };
}

export function observePair(state: PairedState, pair: JudgedPair): PairedState {
  const { wrong, served, weight, asked, firstOfSession } = pair;
  invariant(weight >= 0 && weight <= 1, 'a weight lies between 0 and 1');
  if (asked) return { ...state, asked: add(state.asked, wrong) };
  // Nobody was assigned by chance, or the session has had its say.
  if (weight === 0 || weight === 1 || !firstOfSession) return state;
  const chance = wrong === served ? weight : 1 - weight;
  const share = observeErrorShare(state.share, { arm: wrong, weight: chance });
  return { ...state, unasked: add(state.unasked, wrong), share };
}

/** Evidence that the candidate is less accurate. */
export function pairedEvidence({ asked, share }: PairedState): EValue {
  return eValueOf(pairedAccuracyEvidence(asked).logEvidence + errorShareEvidence(share).logEvidence);
}

/** Evidence that the candidate loses more than half of the pairs in which the two differ. */
export function pairedAccuracyEvidence({ candidateWrong, stableWrong }: DiscordantPairs): EValue {
  return failureLimitEvidence({
    failures: candidateWrong,
    requests: candidateWrong + stableWrong,
    limit: 0.5,
  });
}

/** The same pairs as seen from the other side: evidence that the candidate is the more accurate one. */
export function mirrored({ candidateWrong, stableWrong }: DiscordantPairs): DiscordantPairs {
  return { candidateWrong: stableWrong, stableWrong: candidateWrong };
}

function add(pairs: DiscordantPairs, wrong: Arm): DiscordantPairs {
  const { candidateWrong, stableWrong } = pairs;
  return wrong === 'candidate'
    ? { candidateWrong: candidateWrong + 1, stableWrong }
    : { candidateWrong, stableWrong: stableWrong + 1 };
}
