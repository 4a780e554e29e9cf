// Guard 1: of the sessions that had an error, too many had it on the candidate. With a risk ratio of rho0 and a weight
// of w, an error falls on the candidate with chance w0 = w*rho0 / (w*rho0 + 1-w); six bets on higher ratios share the
// stake, and what they would have won is the evidence. After Lindon & Malek 2020 (arXiv 2011.03567), conditional count
// test; the form over shares is this project's. Valid for every risk ratio <= rho0, whatever the weight does meanwhile.
import { invariant, type Arm } from '@jarvis/contracts';
import { eValueOf, type EValue } from './e-value.ts';
import { logMeanExp } from './log-sum.ts';

/** Each bet: the candidate errs so many times as often as is tolerated; with `fewer`, one over that. */
const BET_RATIOS = [1.5, 2, 3, 5, 10, 30] as const;

/**
 * What the bets are on. `more`: evidence against every risk ratio <= rho0, that the candidate errs more.
 * `fewer`: evidence against every risk ratio >= rho0, that it errs less than that.
 */
export type BetDirection = 'more' | 'fewer';

/** Plain JSON, so that it is stored and goes on after a restart. */
export interface ErrorShareState {
  readonly toleratedRiskRatio: number;
  readonly direction: BetDirection;
  /** Natural logarithm of what each bet has made of a stake of 1. */
  readonly logWealth: readonly number[];
}

export interface ErrorShareOptions {
  /** rho0: the candidate may err so many times as often as the stable version; 1 = no more often. */
  readonly toleratedRiskRatio: number;
  /** `more` unless said. */
  readonly direction?: BetDirection;
}

export interface ErrorShareEvent {
  readonly arm: Arm;
  /** The candidate's weight, 0 to 1, when the request was assigned. */
  readonly weight: number;
}

export function startErrorShare({
  toleratedRiskRatio,
  direction = 'more',
}: ErrorShareOptions): ErrorShareState {
  invariant(toleratedRiskRatio > 0, 'a tolerated risk ratio is positive');
  return { toleratedRiskRatio, direction, logWealth: BET_RATIOS.map(() => 0) };
}

/**
 * Takes one error event. Give at most one for each session and rollout: errors of one session are not independent.
 * An event at a weight of 0 or 1 was not assigned by chance; it says nothing and changes nothing.
 */
export function observeErrorShare(state: ErrorShareState, event: ErrorShareEvent): ErrorShareState {
  const { arm, weight } = event;
  invariant(weight >= 0 && weight <= 1, 'a weight lies between 0 and 1');
  if (weight === 0 || weight === 1) return state;
  const odds = (weight / (1 - weight)) * state.toleratedRiskRatio;
  const gains = BET_RATIOS.map((ratio) => logGain(arm, odds, state.direction === 'more' ? ratio : 1 / ratio));
  return { ...state, logWealth: state.logWealth.map((wealth, i) => wealth + (gains[i] ?? 0)) };
}

/** ln(q_r/w0) for an error of the candidate, ln((1-q_r)/(1-w0)) for one of the stable version, both from the odds. */
function logGain(arm: Arm, odds: number, ratio: number): number {
  const stableGain = Math.log1p(odds) - Math.log1p(odds * ratio);
  return arm === 'candidate' ? stableGain + Math.log(ratio) : stableGain;
}

/** The mean wealth of the bets: evidence that the candidate errs more, or less, than the tolerated risk ratio says. */
export function errorShareEvidence(state: ErrorShareState): EValue {
  return eValueOf(logMeanExp(state.logWealth));
}
