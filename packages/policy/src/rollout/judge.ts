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

/**
 * Guard 1 breaks only once so many sessions have had an error. The random assignment alone keeps it valid with fewer;
 * this keeps two or three unlucky sessions at a small weight from deciding, and leaves a handful of sticky sessions to
 * the paired comparison.
 */
export const ERROR_SESSIONS_MIN = 5;

/** As often as the stable version, and no more. */
export const DEFAULT_TOLERATED_RISK_RATIO = 1;

/** Evidence beyond this is shown as this: JSON has no Infinity. */
const EVIDENCE_SHOWN_MAX = 1e12;

/** What the judge takes: contracts' `Evidence`, plus whether it is this session's first error in the rollout. */
export type JudgeEvidence =
  | { readonly kind: 'requests'; readonly arm: Arm; readonly count: number; readonly step: number }
  | ErrorEvidence
  | { readonly kind: 'broken'; readonly arm: Arm; readonly detail: string };

export interface ErrorEvidence {
  readonly kind: 'failed' | 'slow' | 'corrected';
  readonly arm: Arm;
  /** The candidate's weight, 0 to 1, when the request was assigned. */
  readonly weight: number;
  /** Of a failed, slow or corrected request: no other came from this session in this rollout before. */
  readonly firstErrorOfSession: boolean;
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
  readonly candidateFailures: number;
  /** Sessions by the arm of their first error, where the assignment was by chance. */
  readonly errorSessions: ArmCounts;
  /** The least and the greatest weight of these errors; null before the first. */
  readonly weights: { readonly least: number; readonly most: number } | null;
  readonly errorShare: ErrorShareState;
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
    candidateFailures: 0,
    errorSessions: NONE,
    weights: null,
    errorShare: startErrorShare({ toleratedRiskRatio }),
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
    case 'failed':
      return observeError(evidence.arm === 'candidate' ? countFailure(state) : state, evidence);
    case 'slow':
    case 'corrected':
      return observeError(state, evidence);
    case 'broken':
      return evidence.arm === 'candidate' ? { ...state, broken: state.broken ?? evidence.detail } : state;
  }
}

/** Requests that each arm has served during a step. */
export function requestsOfStep(state: JudgeState, step: number): ArmCounts {
  return state.requestsByStep[step] ?? NONE;
}

/**
 * The guards as a client sees them. With fewer than ERROR_SESSIONS_MIN sessions in error the error share is not broken,
 * whatever its evidence. Paired accuracy is missing: no paired answers are gathered.
 */
export function readGuards(state: JudgeState): GuardReading[] {
  const sessions = state.errorSessions.stable + state.errorSessions.candidate;
  const share = errorShareEvidence(state.errorShare).evidence;
  const limit = failureLimitEvidence(failureCounts(state)).evidence;
  return [
    reading('error_share', share, { alpha: state.alpha, mayBreak: sessions >= ERROR_SESSIONS_MIN }),
    reading('failure_limit', limit, { alpha: state.alpha, mayBreak: true }),
  ];
}

/** A failure may be heard of before its request is counted; there are never fewer requests than failures. */
export function failureCounts(state: JudgeState): { failures: number; requests: number; limit: number } {
  const failures = state.candidateFailures;
  return { failures, requests: Math.max(state.requests.candidate, failures), limit: state.failureLimit };
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

function countFailure(state: JudgeState): JudgeState {
  return { ...state, candidateFailures: state.candidateFailures + 1 };
}

/** Errors of one session are not independent, so only its first counts; at weight 0 or 1 no chance was at work. */
function observeError(state: JudgeState, { arm, weight, firstErrorOfSession }: ErrorEvidence): JudgeState {
  if (!firstErrorOfSession || weight <= 0 || weight >= 1) return state;
  const { least, most } = state.weights ?? { least: weight, most: weight };
  return {
    ...state,
    errorSessions: add(state.errorSessions, arm, 1),
    weights: { least: Math.min(least, weight), most: Math.max(most, weight) },
    errorShare: observeErrorShare(state.errorShare, { arm, weight }),
  };
}

function add(counts: ArmCounts, arm: Arm, count: number): ArmCounts {
  return { ...counts, [arm]: counts[arm] + count };
}
