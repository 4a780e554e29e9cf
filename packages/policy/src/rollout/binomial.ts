// The binomial distribution in logarithms, by sums of positive terms; counts here are small enough for that.
import { logAddExp } from './log-sum.ts';

/** ln C(n, k) = sum of ln((n-k+i)/i), over the smaller side. */
export function logChoose(n: number, k: number): number {
  const side = Math.min(k, n - k);
  let sum = 0;
  for (let i = 1; i <= side; i += 1) sum += Math.log((n - side + i) / i);
  return sum;
}

/** P(X >= k) for n tosses of a fair coin. */
export function fairUpperTail(n: number, k: number): number {
  if (k <= 0) return 1;
  let logTerm = logChoose(n, k) - n * Math.LN2;
  let logSum = logTerm;
  for (let j = k; j < n; j += 1) {
    logTerm += Math.log((n - j) / (j + 1));
    logSum = logAddExp(logSum, logTerm);
  }
  return Math.min(1, Math.exp(logSum));
}
