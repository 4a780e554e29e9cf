// How long to wait before trying again: exponential, with full jitter, so that those who failed together don't come
// back together (Brooker, "Exponential Backoff and Jitter", AWS 2015).
import { invariant } from '@jarvis/contracts';

export interface BackoffOptions {
  /** 0 for the first retry. */
  readonly attempt: number;
  /** The longest wait before the first retry. */
  readonly baseMs: number;
  /** No wait is longer. */
  readonly maxMs: number;
  /** A random number in [0, 1). */
  readonly unit: number;
}

/** A wait in milliseconds, evenly spread from 0 to the smaller of baseMs * 2^attempt and maxMs. */
export function backoffMs({ attempt, baseMs, maxMs, unit }: BackoffOptions): number {
  invariant(Number.isInteger(attempt) && attempt >= 0, 'an attempt is a whole number');
  invariant(baseMs >= 0 && maxMs >= 0, 'waits are not negative');
  invariant(unit >= 0 && unit < 1, 'a random unit lies in [0, 1)');
  const capMs = baseMs === 0 ? 0 : Math.min(baseMs * 2 ** attempt, maxMs);
  return unit * capMs;
}
