// Where a rate lies, for display beside a rollout that is watched all the time. A Wilson interval is not valid under
// that; this is Robbins' (1970) confidence sequence, which holds the true rate at all times together with chance 1-alpha:
// keep p while (n+1) * C(n,k) * p^k * (1-p)^(n-k) > alpha.
// It mixes over all rates alike. Told about how many trials there will be, the sequence mixes over rates near p instead
// (Howard, Ramdas, McAuliffe & Sekhon 2021, two-sided beta-binomial, as in their library confseq), and is narrower there.
import { invariant } from '@jarvis/contracts';
import { logChoose } from './binomial.ts';

/** Halvings of an interval of at most 1: beyond what a double can tell apart. */
const BISECTIONS_MAX = 60;

export interface RateCounts {
  readonly successes: number;
  readonly trials: number;
  readonly alpha: number;
  /** The number of trials at which the interval shall be about its narrowest; absent: Robbins' sequence. */
  readonly narrowestAt?: number;
}

export interface Interval {
  readonly lower: number;
  readonly upper: number;
}

/** The confidence sequence's interval after these counts: 0 to 1 before the first trial. */
export function rateInterval(counts: RateCounts): Interval {
  const { successes, trials, alpha, narrowestAt } = counts;
  invariant(alpha > 0 && alpha < 1, 'alpha lies between 0 and 1');
  invariant(
    Number.isInteger(successes) && Number.isInteger(trials) && successes >= 0 && successes <= trials,
    '0 <= successes <= trials',
  );
  invariant(narrowestAt === undefined || narrowestAt >= 1, 'it is narrowest after a trial or more');
  if (trials === 0) return { lower: 0, upper: 1 };
  const failures = trials - successes;
  const logOfEvidence = narrowestAt === undefined ? logRobbins(counts) : logNear(counts, narrowestAt);
  const isKept = (p: number): boolean => logOfEvidence(p) < -Math.log(alpha);
  const rate = successes / trials;
  return {
    lower: successes === 0 ? 0 : bisect({ inside: rate, outside: 0, isKept }),
    upper: failures === 0 ? 1 : bisect({ inside: rate, outside: 1, isKept }),
  };
}

/** ln of the evidence against each rate p, mixed over all rates alike. */
function logRobbins({ successes, trials }: RateCounts): (p: number) => number {
  const logScale = Math.log(trials + 1) + logChoose(trials, successes);
  return (p) => -logScale - logLikelihood(p, successes, trials - successes);
}

/** Of a good mixture for so many trials: best at the alpha that confseq takes for it, whatever alpha is. */
const TUNED_ALPHA = 0.05;
const MASS_MIN = 1e-3;

/** ln of the evidence against each rate p, mixed by Beta(p*m, (1-p)*m): B(pm+k, (1-p)m+n-k) / B(pm, (1-p)m) / likelihood. */
function logNear({ successes, trials }: RateCounts, narrowestAt: number): (p: number) => number {
  const logs = 2 * Math.log(1 / TUNED_ALPHA);
  const mass = Math.max(narrowestAt / (logs + Math.log1p(logs)) - 1, MASS_MIN);
  const failures = trials - successes;
  return (p) =>
    logRising(p * mass, successes) +
    logRising((1 - p) * mass, failures) -
    logRising(mass, trials) -
    logLikelihood(p, successes, failures);
}

/** ln of x * (x+1) * ... of so many factors. */
function logRising(x: number, factors: number): number {
  let sum = 0;
  for (let i = 0; i < factors; i += 1) sum += Math.log(x + i);
  return sum;
}

function logLikelihood(p: number, successes: number, failures: number): number {
  return xLogY(successes, p) + (failures === 0 ? 0 : failures * Math.log1p(-p));
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
