// The judge of Kayenta over the same traffic. Taken from it (spinnaker/kayenta, NetflixACAJudge, MannWhitneyClassifier and
// MannWhitney, read, not copied): a metric is a series of points for each arm, points without data are left out; the
// Mann-Whitney test with normal approximation, corrected for ties and continuity, as R's wilcox.test has it; confidence
// .98; the metric is high, and the canary fails, when the lower end of the interval for the shift lies above a quarter of
// the shift itself (tolerance .25 of the Hodges-Lehmann estimate). Series that are equal, or all ties, pass.
// Ours is what Kayenta leaves to its user: the one metric is the error rate, upward only; how long a point and an interval
// are; and that each interval judges all points so far.
import type { Verdict } from './ours.ts';
import { STEPS, type Traffic } from './traffic.ts';

/** Candidate requests of one point: a minute where a step of 100 takes ten. */
const POINT_REQUESTS = 10;
const INTERVAL_POINTS = 5;
const TOLERANCE = 0.25;
/** The normal quantile of 1 - .02/2. */
const Z_OF_CONFIDENCE = 2.326_348;
/** Shifts of rates lie in -1 to 1: found to a millionth, as Kayenta's solver does. */
const BISECTIONS = 21;

/** Looks at the end of each interval while both serve. */
export function mannWhitney({ requests }: Traffic): Verdict {
  const points = { stable: [] as number[], candidate: [] as number[] };
  let point = { stable: { n: 0, errors: 0 }, candidate: { n: 0, errors: 0 } };
  let served = 0;
  for (const { arm, step, erred } of requests) {
    if (step === STEPS.length - 1) return null;
    point[arm].n += 1;
    if (erred) point[arm].errors += 1;
    if (arm !== 'candidate') continue;
    served += 1;
    if (served % POINT_REQUESTS !== 0) continue;
    for (const side of ['stable', 'candidate'] as const)
      if (point[side].n > 0) points[side].push(point[side].errors / point[side].n);
    point = { stable: { n: 0, errors: 0 }, candidate: { n: 0, errors: 0 } };
    if (served % (POINT_REQUESTS * INTERVAL_POINTS) !== 0) continue;
    if (isHigh(points.candidate, points.stable)) return served;
  }
  return null;
}

/** Whether the experiment's points lie higher than the control's, as Kayenta classifies a metric. */
export function isHigh(experiment: readonly number[], control: readonly number[]): boolean {
  if (experiment.length === 0 || control.length === 0) return false;
  const x = experiment.toSorted((a, b) => a - b);
  const y = control.toSorted((a, b) => a - b);
  const same = x.length === y.length && x.every((value, i) => value === y[i]);
  if (same || (x[0] === x.at(-1) && y[0] === y.at(-1) && x[0] === y[0])) return false;
  // The lower end lies above 0 just where the statistic at a shift of 0 does above the quantile: most end here.
  if (standardised(x, y, 0) <= Z_OF_CONFIDENCE) return false;
  return standardised(x, y, TOLERANCE * Math.abs(estimateOf(x, y))) > Z_OF_CONFIDENCE;
}

/** The shift at which the statistic is nought. */
function estimateOf(x: readonly number[], y: readonly number[]): number {
  let low = (x[0] ?? 0) - (y.at(-1) ?? 0);
  let high = (x.at(-1) ?? 0) - (y[0] ?? 0);
  for (let i = 0; i < BISECTIONS; i += 1) {
    const middle = (low + high) / 2;
    if (standardised(x, y, middle) > 0) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** U of the sorted x less a shift against the sorted y, from its mean, in deviations. */
function standardised(x: readonly number[], y: readonly number[], shift: number): number {
  const [n, m] = [x.length, y.length];
  let [i, j, u, ties] = [0, 0, 0, 0];
  while (i < n || j < m) {
    const value = Math.min((x[i] ?? Infinity) - shift, y[j] ?? Infinity);
    const [fromX, fromY] = [i, j];
    while (i < n && (x[i] ?? 0) - shift === value) i += 1;
    while (j < m && y[j] === value) j += 1;
    u += (i - fromX) * (fromY + (j - fromY) / 2);
    const tied = i - fromX + j - fromY;
    ties += tied ** 3 - tied;
  }
  const off = u - (n * m) / 2;
  const sigma = Math.sqrt(((n * m) / 12) * (n + m + 1 - ties / ((n + m) * (n + m - 1))));
  return sigma === 0 ? 0 : (off - Math.sign(off) / 2) / sigma;
}
