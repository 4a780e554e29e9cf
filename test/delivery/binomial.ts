// Exact tails of the binomial distribution, for shares of sessions.
/** Chance of a false alarm over everything that one run of the proof holds against a binomial distribution. */
export const FALSE_ALARM = 1e-6;

/** Two-sided: twice the chance of `hits` or fewer, or of `hits` or more, whichever is less; at most 1. */
export function binomialTail(hits: number, tries: number, p: number): number {
  if (p >= 1) return hits === tries ? 1 : 0;
  let logTerm = tries * Math.log1p(-p);
  let [below, above] = [0, 0];
  for (let k = 0; k <= tries; k += 1) {
    const term = Math.exp(logTerm);
    if (k <= hits) below += term;
    if (k >= hits) above += term;
    logTerm += Math.log((tries - k) / (k + 1)) + Math.log(p) - Math.log1p(-p);
  }
  return Math.min(1, 2 * Math.min(below, above));
}
