// Where a rate lies, for display beside a rollout that is watched all the time. A Wilson interval is not valid under
// that; this is Robbins' (1970) confidence sequence, which holds the true rate at all times together with chance 1-alpha:
// keep p while (n+1) * C(n,k) * p^k * (1-p)^(n-k) > alpha.
import { invariant } from '@jarvis/contracts';
import { logChoose } from './binomial.ts';

/** Halvings of an interval of at most 1: beyond what a double can tell apart. */
const BISECTIONS_MAX = 60;

export interface RateCounts {
  readonly successes: number;
  readonly trials: number;
  readonly alpha: number;
}

export interface Interval {
  readonly lower: number;
  readonly upper: number;
}

/** The confidence sequence's interval after these counts: 0 to 1 before the first trial. */
export function rateInterval({ successes, trials, alpha }: RateCounts): Interval {
  invariant(alpha > 0 && alpha < 1, 'alpha lies between 0 and 1');
  invariant(
    Number.isInteger(successes) && Number.isInteger(trials) && successes >= 0 && successes <= trials,
    '0 <= successes <= trials',
  );
  if (trials === 0) return { lower: 0, upper: 1 };
  const failures = trials - successes;
  const logScale = Math.log(trials + 1) + logChoose(trials, successes) - Math.log(alpha);
  const isKept = (p: number): boolean =>
    logScale + xLogY(successes, p) + (failures === 0 ? 0 : failures * Math.log1p(-p)) > 0;
  const rate = successes / trials;
  return {
    lower: successes === 0 ? 0 : bisect({ inside: rate, outside: 0, isKept }),
    upper: failures === 0 ? 1 : bisect({ inside: rate, outside: 1, isKept }),
  };
}

function xLogY(x: number, y: number): number {
  return x === 0 ? 0 : x * Math.log(y);
}

interface Bracket {
  readonly inside: number;
  readonly outside: number;
  readonly isKept: (p: number) => boolean;
}

/** The end of the interval between a point that is kept and one that is not. */
function bisect({ inside, outside, isKept }: Bracket): number {
  let [kept, dropped] = [inside, outside];
  for (let i = 0; i < BISECTIONS_MAX; i += 1) {
    const middle = (kept + dropped) / 2;
    if (isKept(middle)) kept = middle;
    else dropped = middle;
  }
  return (kept + dropped) / 2;
}
