// One look at a rollout: what to do now. Guards first; then the step ends when its time is over and enough candidate
// requests were seen; with too few of them it holds, and says so.
//   rolling --guard broken--> roll_back      --time over, enough--> advance, or promote after the last step
//           --time over, too few--> hold     holding --enough came--> advance
import { invariant, type DeploymentState } from '@jarvis/contracts';
import {
  type JudgeState,
  NO_WORSE_RISK_RATIO,
  noWorseEvidence,
  pairsOfStep,
  requestsOfStep,
} from './judge.ts';
import type { Promotion } from './plan.ts';
import { faultOf } from './reasons.ts';

export interface RolloutLook {
  readonly state: DeploymentState;
  /** The candidate, for the sentences. */
  readonly version: string;
  /** As from `planSteps`. */
  readonly steps: readonly number[];
  readonly promotion: Promotion;
  readonly stepIndex: number;
  readonly stepStartedAtMs: number;
  readonly nowMs: number;
  readonly stepSeconds: number;
  /** Candidate requests that a step needs; pairs of answers where it gets none. */
  readonly stepMinRequests: number;
  readonly judge: JudgeState;
  /** false: a person decides, and a broken guard only holds the rollout. */
  readonly autoRollback: boolean;
}

export type RolloutDecision =
  | { readonly go: 'stay' }
  | { readonly go: 'hold'; readonly reason: string }
  | { readonly go: 'advance'; readonly toStep: number; readonly reason: string }
  | { readonly go: 'promote'; readonly reason: string }
  | { readonly go: 'roll_back'; readonly reason: string };

const STAY: RolloutDecision = { go: 'stay' };

/**
 * A paused rollout still serves its candidate, so it is still judged; but only a person lets it go on. States without
 * traffic (gating, or ended) stay as they are.
 */
export function decideRollout(look: RolloutLook): RolloutDecision {
  const { state, judge, version, autoRollback } = look;
  if (state !== 'rolling' && state !== 'holding' && state !== 'paused') return STAY;
  const fault = faultOf(judge, version);
  if (fault !== null && autoRollback) return { go: 'roll_back', reason: fault };
  if (state === 'paused') return STAY;
  if (fault !== null) {
    return { go: 'hold', reason: `${fault} Automatic rollback is off: roll back, or promote it anyway.` };
  }
  return decideStep(look);
}

function decideStep(look: RolloutLook): RolloutDecision {
  const { version, steps, stepIndex, stepSeconds, stepMinRequests, judge } = look;
  const percent = steps[stepIndex];
  invariant(percent !== undefined, 'the step is one of the plan');
  if (look.nowMs - look.stepStartedAtMs < stepSeconds * 1000) return STAY;
  const seen = seenIn(judge, stepIndex, percent);
  if (seen.count < stepMinRequests) {
    const few = `${seen.count} of the ${stepMinRequests} requests that this step needs`;
    return { go: 'hold', reason: `Too little traffic at ${percent} %: ${version} has ${seen.did} ${few}.` };
  }
  const passed = `${version} ${seen.did} ${seen.count} requests at ${percent} % and no guard is broken`;
  const next = steps[stepIndex + 1];
  if (next !== undefined)
    return { go: 'advance', toStep: stepIndex + 1, reason: `${passed}: on to ${next} %.` };
  if (look.promotion === 'unless_broken')
    return { go: 'promote', reason: `${passed}: it is now the champion.` };
  return decideShown(look, passed);
}

function seenIn(judge: JudgeState, step: number, percent: number): { count: number; did: string } {
  if (percent === 0) return { count: pairsOfStep(judge, step), did: 'answered in the shadow' };
  return { count: requestsOfStep(judge, step).candidate, did: 'served' };
}

/** Where a person asked which is better, time alone is no answer. */
function decideShown({ judge, version }: RolloutLook, passed: string): RolloutDecision {
  const { byErrors, byPairs, threshold } = noWorseEvidence(judge);
  const needed = `needs ${threshold}`;
  if (byErrors >= threshold || byPairs >= threshold) {
    const shown =
      byErrors >= threshold
        ? `that it errs less than ${NO_WORSE_RISK_RATIO} times as often is shown (evidence ${figure(byErrors)}, ${needed})`
        : `that it is right where the two differ is shown (evidence ${figure(byPairs)}, ${needed})`;
    return { go: 'promote', reason: `${passed}, and ${shown}: it is now the champion.` };
  }
  const best = figure(Math.max(byErrors, byPairs));
  return {
    go: 'hold',
    reason: `Inconclusive: ${passed}, but that ${version} is no worse is not shown yet (evidence ${best}, ${needed}). Promote it, abort it, or wait.`,
  };
}

function figure(evidence: number): string {
  return evidence.toPrecision(2);
}
