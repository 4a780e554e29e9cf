// The judge of one rollout: a reducer over its evidence, never reset before the rollout ends. It is plain JSON, so it
// is stored with the deployment and goes on after a restart. Which sessions have had an error is for the store to
// know; each piece of evidence says whether it is the first of its session.
import { invariant, type Arm } from '@jarvis/contracts';
import { guardThreshold, type GuardReading } from './alpha.ts';
import {
  errorShareEvidence,
  observeErrorShare,
  startErrorShare,
  type ErrorShareState,
} from './error-share.ts';
import { failureLimitEvidence } from './failure-limit.ts';
import {
  type JudgedPair,
  mirrored,
  observePair,
  pairedAccuracyEvidence,
  pairedEvidence,
  type PairedState,
  startPaired,
} from './paired.ts';

/**
 * Guard 1 breaks only once so many sessions have had an error. Random assignment alone keeps it valid with fewer; this
 * keeps a few unlucky sessions at a small weight from deciding, and leaves a handful of sticky sessions to the paired
 * comparison. Simulated (600 sessions, 2 -> 20 % errors): detected after a median of 24, 25, 29 and 37 candidate requests
 * with a minimum of 3, 5, 8 and 12; false rollbacks 0.7, 0.3, 0.2 and 0.2 %. So 5 costs nothing.
 */
export const ERROR_SESSIONS_MIN = 5;

/** As often as the stable version, and no more. */
export const DEFAULT_TOLERATED_RISK_RATIO = 1;

/** Where no worse has to be shown: that it errs less than so many times as often. It takes about 51 errors at even halves. */
export const NO_WORSE_RISK_RATIO = 2;

/** Evidence beyond this is shown as this: JSON has no Infinity. */
const EVIDENCE_SHOWN_MAX = 1e12;

/** What the judge takes: contracts' `Evidence`, with what the store knows of the session or of the pair. */
export type JudgeEvidence =
  | { readonly kind: 'requests'; readonly arm: Arm; readonly count: number; readonly step: number }
  | ErrorEvidence
  | ShadowEvidence
  | ({ readonly kind: 'pair' } & JudgedPair)
  | { readonly kind: 'broken'; readonly arm: Arm; readonly detail: string };

export interface ErrorEvidence {
  readonly kind: 'failed' | 'slow' | 'corrected';
  readonly arm: Arm;
  /** The candidate's weight, 0 to 1, when the request was assigned. */
  readonly weight: number;
  /** No other failed or corrected request, or no other slow one, came from this session in this rollout before. */
  readonly firstOfSession: boolean;
}

/** Inputs that one version answered in the shadow of the other, whose answer the client got. */
export interface ShadowEvidence {
  readonly kind: 'shadowed';
  /** Who answered in the shadow. */
  readonly arm: Arm;
  readonly count: number;
  /** How many of them it failed. */
  readonly failures: number;
  /** How many of them the two answered differently. */
  readonly differed: number;
  readonly step: number;
}

export type ArmCounts = Readonly<Record<Arm, number>>;

export interface JudgeOptions {
  /** ROLLOUT_ALPHA, for all guards together. */
  readonly alpha: number;
  /** ROLLBACK_ON_ERROR_RATE: the share of failed requests that is still allowed. */
  readonly failureLimit: number;
  readonly toleratedRiskRatio?: number;
}

export interface JudgeState {
  readonly alpha: number;
  readonly failureLimit: number;
  readonly requests: ArmCounts;
  /** By the step's number. */
  readonly requestsByStep: Readonly<Record<string, ArmCounts>>;
  /** All there were, for people: also several of a session. */
  readonly errors: Readonly<Record<ErrorEvidence['kind'], ArmCounts>>;
  /** Sessions by the arm of their first error, where the assignment was by chance. */
  readonly errorSessions: ArmCounts;
  /** Sessions by the arm of their first slow answer, likewise. */
  readonly slowSessions: ArmCounts;
  /** The least and the greatest weight of these; null before the first. */
  readonly weights: { readonly least: number; readonly most: number } | null;
  readonly errorShare: ErrorShareState;
  readonly slowShare: ErrorShareState;
  /** That the candidate errs less than NO_WORSE_RISK_RATIO times as often. */
  readonly noWorse: ErrorShareState;
  readonly paired: PairedState;
  /** Inputs that the candidate was asked in the shadow, and how many of them it failed. */
  readonly shadow: { readonly requests: number; readonly failures: number };
  /** Inputs that both answered, whichever in the shadow, and to how many of them they gave different answers. */
  readonly pairs: { readonly answered: number; readonly differed: number };
  /** `pairs.answered` by the step's number. */
  readonly pairsByStep: Readonly<Record<string, number>>;
  /** Why the candidate can't be served; null while it can. */
  readonly broken: string | null;
}

const NONE: ArmCounts = { stable: 0, candidate: 0 };

export function startJudge(options: JudgeOptions): JudgeState {
  const { alpha, failureLimit, toleratedRiskRatio = DEFAULT_TOLERATED_RISK_RATIO } = options;
  invariant(alpha > 0 && alpha < 1, 'alpha lies between 0 and 1');
  invariant(failureLimit > 0 && failureLimit < 1, 'a failure limit lies between 0 and 1');
  return {
    alpha,
    failureLimit,
    requests: NONE,
    requestsByStep: {},
    errors: { failed: NONE, slow: NONE, corrected: NONE },
    errorSessions: NONE,
    slowSessions: NONE,
    weights: null,
    errorShare: startErrorShare({ toleratedRiskRatio }),
    slowShare: startErrorShare({ toleratedRiskRatio }),
    noWorse: startErrorShare({ toleratedRiskRatio: NO_WORSE_RISK_RATIO, direction: 'fewer' }),
    paired: startPaired(),
    shadow: { requests: 0, failures: 0 },
    pairs: { answered: 0, differed: 0 },
    pairsByStep: {},
    broken: null,
  };
}

/** The next state; the given one is left as it is. */
export function observe(state: JudgeState, evidence: JudgeEvidence): JudgeState {
  switch (evidence.kind) {
    case 'requests': {
      const { arm, count, step } = evidence;
      const inStep = add(requestsOfStep(state, step), arm, count);
      return {
        ...state,
        requests: add(state.requests, arm, count),
        requestsByStep: { ...state.requestsByStep, [step]: inStep },
      };
    }
    case 'shadowed':
      return observeShadow(state, evidence);
    case 'pair':
      return { ...state, paired: observePair(state.paired, evidence) };
    case 'broken':
      return evidence.arm === 'candidate' ? { ...state, broken: state.broken ?? evidence.detail } : state;
    default:
      return observeError(state, evidence);
  }
}

/** Requests that each arm has served during a step. */
export function requestsOfStep(state: JudgeState, step: number): ArmCounts {
  return state.requestsByStep[step] ?? NONE;
}

/** Pairs of answers of a step: one that the client got, one that was given in the shadow. */
export function pairsOfStep(state: JudgeState, step: number): number {
  return state.pairsByStep[step] ?? 0;
}

/**
 * The guards as a client sees them. With fewer than ERROR_SESSIONS_MIN sessions in error no share of sessions is broken,
 * whatever its evidence.
 */
export function readGuards(state: JudgeState): GuardReading[] {
  const { alpha } = state;
  const share = errorShareEvidence(state.errorShare).evidence;
  const slow = errorShareEvidence(state.slowShare).evidence;
  const paired = pairedEvidence(state.paired).evidence;
  const limit = failureLimitEvidence(failureCounts(state)).evidence;
  return [
    reading('error_share', share, { alpha, mayBreak: areEnough(state.errorSessions) }),
    reading('slow_answers', slow, { alpha, mayBreak: areEnough(state.slowSessions) }),
    reading('paired_accuracy', paired, { alpha, mayBreak: true }),
    reading('failure_limit', limit, { alpha, mayBreak: true }),
  ];
}

/** Evidence that it is no worse: that it errs less than twice as often, or that it wins the pairs on which the two differ. */
export function noWorseEvidence(state: JudgeState): { byErrors: number; byPairs: number; threshold: number } {
  return {
    byErrors: errorShareEvidence(state.noWorse).evidence,
    byPairs: pairedAccuracyEvidence(mirrored(state.paired.asked)).evidence,
    // Two ways to get there share the chance of being wrong.
    threshold: 2 / state.alpha,
  };
}

/**
 * Of what the candidate was asked, for a client or in the shadow. A failure may be heard of before its request is
 * counted; there are never fewer requests than failures.
 */
export function failureCounts(state: JudgeState): { failures: number; requests: number; limit: number } {
  const { errors, requests, shadow, failureLimit: limit } = state;
  const asked = Math.max(requests.candidate, errors.failed.candidate);
  return {
    failures: errors.failed.candidate + shadow.failures,
    requests: asked + shadow.requests,
    limit,
  };
}

function areEnough({ stable, candidate }: ArmCounts): boolean {
  return stable + candidate >= ERROR_SESSIONS_MIN;
}

function reading(
  guard: GuardReading['guard'],
  evidence: number,
  { alpha, mayBreak }: { alpha: number; mayBreak: boolean },
): GuardReading {
  const threshold = guardThreshold(guard, alpha);
  const broken = mayBreak && evidence >= threshold;
  return { guard, evidence: Math.min(evidence, EVIDENCE_SHOWN_MAX), threshold, broken };
}

function observeShadow(state: JudgeState, evidence: ShadowEvidence): JudgeState {
  const { arm, count, failures, differed, step } = evidence;
  const answered = count - failures;
  const { pairs, shadow } = state;
  const next = {
    ...state,
    pairs: { answered: pairs.answered + answered, differed: pairs.differed + differed },
    pairsByStep: { ...state.pairsByStep, [step]: pairsOfStep(state, step) + answered },
  };
  // What the stable version fails in the shadow is no fault of the candidate.
  if (arm === 'stable') return next;
  return {
    ...next,
    shadow: { requests: shadow.requests + count, failures: shadow.failures + failures },
  };
}

/** Errors of one session are not independent, so only its first counts; at weight 0 or 1 no chance was at work. */
function observeError(before: JudgeState, { kind, arm, weight, firstOfSession }: ErrorEvidence): JudgeState {
  const state = { ...before, errors: { ...before.errors, [kind]: add(before.errors[kind], arm, 1) } };
  if (!firstOfSession || weight <= 0 || weight >= 1) return state;
  const { least, most } = state.weights ?? { least: weight, most: weight };
  const weights = { least: Math.min(least, weight), most: Math.max(most, weight) };
  const event = { arm, weight };
  if (kind === 'slow')
    return {
      ...state,
      weights,
      slowSessions: add(state.slowSessions, arm, 1),
      slowShare: observeErrorShare(state.slowShare, event),
    };
  return {
    ...state,
    weights,
    errorSessions: add(state.errorSessions, arm, 1),
    errorShare: observeErrorShare(state.errorShare, event),
    noWorse: observeErrorShare(state.noWorse, event),
  };
}

function add(counts: ArmCounts, arm: Arm, count: number): ArmCounts {
  return { ...counts, [arm]: counts[arm] + count };
}
