// How much of a trainer's progress is told: all of it at the pace of a trainer, the latest of it when it comes faster.
// What is told is kept for ever, so it is bounded: at most 20 a second, after 10,000 one a minute, and 50,000 in all.
import { invariant } from '@jarvis/contracts';

export const TOLD_PER_SECOND = 20;
/** A trainer that was followed late has a few epochs to tell at once. */
export const TOLD_AT_ONCE_MAX = 200;
export const TOLD_AT_FULL_PACE_MAX = 10_000;
export const TOLD_SLOWLY_EVERY_MS = 60_000;
/** Of one attempt: four weeks at the slow pace. */
export const TOLD_MAX = 50_000;

export interface Telling {
  /** How many may be told now; not always a whole number. */
  readonly allowance: number;
  /** Monotonic. */
  readonly atMs: number;
  /** Told so far in this attempt. */
  readonly told: number;
}

export function beginTelling(nowMs: number, told: number): Telling {
  return { allowance: paceAfter(told).atOnceMax, atMs: nowMs, told };
}

/** How many of `wanted` pieces of progress that came together are told: all, only the latest, or none for now. */
export function tellProgress(
  telling: Telling,
  { nowMs, wanted }: { readonly nowMs: number; readonly wanted: number },
): { readonly telling: Telling; readonly count: number } {
  invariant(nowMs >= telling.atMs, 'a monotonic clock does not go back');
  const { told } = telling;
  const { perMs, atOnceMax } = paceAfter(told);
  const allowance = Math.min(atOnceMax, telling.allowance + (nowMs - telling.atMs) * perMs);
  const may = Math.min(Math.floor(allowance), TOLD_MAX - told);
  const count = wanted <= may ? wanted : Math.min(1, Math.max(0, may));
  return { telling: { allowance: allowance - count, atMs: nowMs, told: told + count }, count };
}

function paceAfter(told: number): { readonly perMs: number; readonly atOnceMax: number } {
  return told < TOLD_AT_FULL_PACE_MAX
    ? { perMs: TOLD_PER_SECOND / 1000, atOnceMax: TOLD_AT_ONCE_MAX }
    : { perMs: 1 / TOLD_SLOWLY_EVERY_MS, atOnceMax: 1 };
}
