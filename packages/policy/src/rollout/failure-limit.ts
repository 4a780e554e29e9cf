// Guard 3: an absolute limit, failure rate p <= p0. The evidence after k failures in n requests is the likelihood ratio
// against p0, averaged over all p in (p0, 1]:  B(k+1, n-k+1) * (1 - I_p0(k+1, n-k+1)) / ((1-p0) * p0^k * (1-p0)^(n-k)).
// Counts are whole numbers, so 1 - I_p0(k+1, n-k+1) = P(Binomial(n+1, p0) <= k) (DLMF 8.17.5), and the quotient becomes
// a sum of k+1 positive terms: exact, without special functions, and nothing cancels.
import { invariant } from '@jarvis/contracts';
import { eValueOf, type EValue } from './e-value.ts';
import { logAddExp } from './log-sum.ts';

/** What lies e^40 below the sum can't change a double. */
const NEGLIGIBLE_LOG = -40;

export interface FailureCounts {
  readonly failures: number;
  readonly requests: number;
  /** p0, between 0 and 1: the failure rate that is still allowed. */
  readonly limit: number;
}

/**
 * Evidence that the failure rate lies above the limit.
 * Term k is 1/(n+1-k); going down, term j-1 = term j * j/(n+2-j) * (1-p0)/p0.
 */
export function failureLimitEvidence(counts: FailureCounts): EValue {
  const { failures: k, requests: n, limit } = counts;
  invariant(Number.isInteger(k) && Number.isInteger(n) && k >= 0 && k <= n, '0 <= failures <= requests');
  invariant(limit > 0 && limit < 1, 'a failure limit lies between 0 and 1');
  const logOdds = Math.log1p(-limit) - Math.log(limit);
  let logTerm = -Math.log(n + 1 - k);
  let logSum = logTerm;
  for (let j = k; j >= 1; j -= 1) {
    const logRatio = Math.log(j / (n + 2 - j)) + logOdds;
    logTerm += logRatio;
    logSum = logAddExp(logSum, logTerm);
    // The ratios only fall, so the j-1 terms that are left are each smaller than this one.
    if (logRatio < 0 && logTerm + Math.log(j) - logSum < NEGLIGIBLE_LOG) break;
  }
  return eValueOf(logSum);
}
