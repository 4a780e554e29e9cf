// Why a rollout does what it does, in sentences for a person.
import { guardAlpha } from './alpha.ts';
import { errorShareEvidence, type ErrorShareState } from './error-share.ts';
import { failureLimitEvidence } from './failure-limit.ts';
import { type ArmCounts, failureCounts, readGuards, type JudgeState } from './judge.ts';
import { pairedEvidence } from './paired.ts';

/** Why the candidate has to go back; null while nothing speaks against it. */
export function faultOf(judge: JudgeState, version: string): string | null {
  if (judge.broken !== null) return `${version} can't be served: ${judge.broken}`;
  const broken = readGuards(judge).find((guard) => guard.broken)?.guard;
  switch (broken) {
    case 'error_share':
      return shareFault(judge, version, {
        guard: broken,
        sessions: judge.errorSessions,
        share: judge.errorShare,
        of: 'an error',
      });
    case 'slow_answers':
      return shareFault(judge, version, {
        guard: broken,
        sessions: judge.slowSessions,
        share: judge.slowShare,
        of: 'a slow answer',
      });
    case 'paired_accuracy':
      return pairedFault(judge, version);
    case 'failure_limit':
      return failureLimitFault(judge, version);
    case undefined:
      return null;
  }
}

interface Share {
  readonly guard: 'error_share' | 'slow_answers';
  readonly sessions: ArmCounts;
  readonly share: ErrorShareState;
  readonly of: string;
}

function shareFault(judge: JudgeState, version: string, { guard, sessions, share, of }: Share): string {
  const { stable, candidate } = sessions;
  const { least, most } = judge.weights ?? { least: 0, most: 0 };
  const weights = least === most ? percent(least) : `${percentFigure(least)} to ${percent(most)}`;
  const ratio = share.toleratedRiskRatio;
  const ifHealthy = ratio === 1 ? 'if it were no worse' : `if it erred at most ${ratio} times as often`;
  const { logEvidence } = errorShareEvidence(share);
  return (
    `Of ${stable + candidate} sessions with ${of}, ${candidate} had it on ${version}, which served ` +
    `${weights} of requests: chance of this or more evidence ${ifHealthy} is at most ` +
    `${chance(logEvidence, guardAlpha(guard, judge.alpha))}.`
  );
}

function pairedFault(judge: JudgeState, version: string): string {
  const { asked, unasked } = judge.paired;
  const lost = asked.candidateWrong + unasked.candidateWrong;
  const judged = lost + asked.stableWrong + unasked.stableWrong;
  const { logEvidence } = pairedEvidence(judge.paired);
  return (
    `Both versions answered the same inputs; of ${judged} on which just one was right, ${version} was wrong on ${lost}: ` +
    `chance of this or more evidence if it were as accurate is at most ` +
    `${chance(logEvidence, guardAlpha('paired_accuracy', judge.alpha))}.`
  );
}

function failureLimitFault(judge: JudgeState, version: string): string {
  const counts = failureCounts(judge);
  const { logEvidence } = failureLimitEvidence(counts);
  return (
    `${counts.failures} of ${counts.requests} requests to ${version} failed, over the limit of ` +
    `${percent(counts.limit)}: chance of this or more evidence within the limit is at most ` +
    `${chance(logEvidence, guardAlpha('failure_limit', judge.alpha))}.`
  );
}

/** One over the evidence (Ville's inequality), never more than the guard's alpha, rounded up to two figures. */
function chance(logEvidence: number, alpha: number): string {
  const p = Math.max(Math.min(Math.exp(-logEvidence), alpha), CHANCE_SHOWN_MIN);
  const unit = 10 ** (Math.floor(Math.log10(p * 100)) - 1);
  // Rounding up must not turn 2 % into 2.1 % for a last bit.
  const figures = Math.ceil((p * 100) / unit - ROUNDING_SLACK);
  return `${Number((figures * unit).toPrecision(2))} %`;
}
const CHANCE_SHOWN_MIN = 0.000_1;
const ROUNDING_SLACK = 1e-9;

/** A share of 0 to 1 as a person reads it: 0.125 -> `12.5 %`. */
function percent(share: number): string {
  return `${percentFigure(share)} %`;
}

function percentFigure(share: number): number {
  return Number((share * 100).toPrecision(3));
}
