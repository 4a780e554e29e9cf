// The judge of this project over the traffic of a rollout, as Reactor Core asks it: evidence in, then one look.
import { ENVIRONMENT, invariant } from '@jarvis/contracts';
import {
  decideRollout,
  errorShareEvidence,
  type JudgeEvidence,
  type JudgeState,
  observe,
  observeErrorShare,
  startErrorShare,
  startJudge,
} from '@jarvis/policy';
import { type Request, STEPS, type Traffic, weightOf } from './traffic.ts';

export const ALPHA = ENVIRONMENT.ROLLOUT_ALPHA.default;
export const FAILURE_LIMIT = ENVIRONMENT.ROLLBACK_ON_ERROR_RATE.default;
const STEP_SECONDS = ENVIRONMENT.ROLLOUT_STEP_SECONDS.default;

/** Candidate requests until the rollback; null: promoted. */
export type Verdict = number | null;

/**
 * Looks after each error, which is when evidence rises, and at the end of each step. Requests are counted in bulk between
 * those, as J-Prime counts them.
 */
export function ours({ requests, sessions }: Traffic, kind: 'failed' | 'corrected'): Verdict {
  const erred = new Uint8Array(sessions);
  const rollout = new Watched();
  for (const [i, { arm, step, session, erred: isError }] of requests.entries()) {
    rollout.count(requests[i]!);
    if (isError) {
      const firstOfSession = erred[session] === 0;
      erred[session] = 1;
      const judge = rollout.take({ kind, arm, weight: weightOf(step), firstOfSession });
      if (judge.changed && rollout.look(step, 0) === 'roll_back') return rollout.served;
    }
    if (requests[i + 1]?.step === step) continue;
    rollout.flush();
    const go = rollout.look(step, STEP_SECONDS);
    if (go === 'roll_back') return rollout.served;
    invariant(go === (step === STEPS.length - 1 ? 'promote' : 'advance'), 'the step has all that it needs');
  }
  return null;
}

/** One rollout: its judge, and what J-Prime has counted and not told it yet. */
class Watched {
  #judge: JudgeState = startJudge({ alpha: ALPHA, failureLimit: FAILURE_LIMIT });
  #untold = { stable: 0, candidate: 0 };
  #step = 0;
  served = 0;

  count({ arm, step }: Request): void {
    this.#step = step;
    this.#untold[arm] += 1;
    if (arm === 'candidate') this.served += 1;
  }

  flush(): void {
    for (const arm of ['stable', 'candidate'] as const) {
      const count = this.#untold[arm];
      if (count > 0) this.#judge = observe(this.#judge, { kind: 'requests', arm, count, step: this.#step });
    }
    this.#untold = { stable: 0, candidate: 0 };
  }

  /** The first error of a session, and each failure of the candidate, change something. */
  take(evidence: JudgeEvidence): { readonly changed: boolean } {
    this.flush();
    const before = this.#judge;
    this.#judge = observe(before, evidence);
    return { changed: this.#judge !== before };
  }

  look(stepIndex: number, passedSeconds: number): ReturnType<typeof decideRollout>['go'] {
    return decideRollout({
      state: 'rolling',
      version: 'v0.2.0',
      steps: STEPS,
      promotion: 'unless_broken',
      stepIndex,
      stepStartedAtMs: 0,
      nowMs: passedSeconds * 1000,
      stepSeconds: STEP_SECONDS,
      stepMinRequests: ENVIRONMENT.ROLLOUT_STEP_MIN_REQUESTS.default,
      judge: this.#judge,
      autoRollback: true,
    }).go;
  }
}

/** Guard 1 by itself, with all of alpha and no least number of sessions: what its mathematics can do. */
export function errorShareAlone({ requests, sessions }: Traffic): Verdict {
  const erred = new Uint8Array(sessions);
  let state = startErrorShare({ toleratedRiskRatio: 1 });
  let served = 0;
  for (const { arm, step, session, erred: isError } of requests) {
    if (arm === 'candidate') served += 1;
    if (!isError || erred[session] === 1) continue;
    erred[session] = 1;
    state = observeErrorShare(state, { arm, weight: weightOf(step) });
    if (errorShareEvidence(state).evidence >= 1 / ALPHA) return served;
  }
  return null;
}
