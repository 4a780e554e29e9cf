// When a trainer that lives but gives no sign of life is taken for hung: after a fixed limit, and never before several
// times the longest pause that this run has made so far. Only silence that somebody has listened to counts.
import { invariant } from '@jarvis/contracts';

/** A trainer whose pace is known is given so many of its longest pauses. */
export const PAUSES_OF_PATIENCE = 5;
/** Who looks this late was stopped, or the machine slept: what the trainer did meanwhile is not known. */
const LATE_LOOK_MS = 10_000;
/** With a short limit a look is late earlier: never may a single gap between looks use the limit up. */
const LOOKS_IN_A_LIMIT = 2;

/** All times are those of one monotonic clock. */
export interface Silence {
  /** The last sign of life, or when listening began. */
  readonly sinceMs: number;
  readonly lookedAtMs: number;
  /** The longest time between two signs of life. */
  readonly longestPauseMs: number;
}

export interface Look {
  readonly nowMs: number;
  /** Whether there was a sign of life since the last look. */
  readonly heard: boolean;
  readonly limitMs: number;
}

export function beginSilence(nowMs: number, longestPauseMs: number): Silence {
  return { sinceMs: nowMs, lookedAtMs: nowMs, longestPauseMs };
}

export function listen(silence: Silence, { nowMs, heard, limitMs }: Look): Silence {
  invariant(nowMs >= silence.lookedAtMs, 'a monotonic clock does not go back');
  const wasAway = nowMs - silence.lookedAtMs > Math.min(LATE_LOOK_MS, limitMs / LOOKS_IN_A_LIMIT);
  if (wasAway) return beginSilence(nowMs, silence.longestPauseMs);
  if (!heard) return { ...silence, lookedAtMs: nowMs };
  return beginSilence(nowMs, Math.max(silence.longestPauseMs, nowMs - silence.sinceMs));
}

export function patienceMs({ longestPauseMs }: Silence, limitMs: number): number {
  return Math.max(limitMs, PAUSES_OF_PATIENCE * longestPauseMs);
}

export function isHung(silence: Silence, limitMs: number): boolean {
  return silence.lookedAtMs - silence.sinceMs > patienceMs(silence, limitMs);
}
