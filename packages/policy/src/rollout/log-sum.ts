// Sums of numbers that are known by their logarithms, without overflow: factor the largest out.

/** ln(e^a + e^b). */
export function logAddExp(a: number, b: number): number {
  const high = Math.max(a, b);
  if (high === -Infinity) return -Infinity;
  return high + Math.log1p(Math.exp(Math.min(a, b) - high));
}

/** ln of the mean of e^x over `logs`, which must not be empty. */
export function logMeanExp(logs: readonly number[]): number {
  return logs.reduce(logAddExp, -Infinity) - Math.log(logs.length);
}
