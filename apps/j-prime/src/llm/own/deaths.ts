// How often the LLM server died young in a row, and how long it is left alone for that.
import { backoffMs } from '@jarvis/policy';

export interface DeathLimits {
  /** Who lives for so long after it was ready has started well. */
  readonly youngMs: number;
  /** So many in a row, and it is left alone for a while. */
  readonly inARowMax: number;
  /** The shortest pause; what is added to it doubles with each further death. */
  readonly pauseMs: number;
  readonly pauseMsMax: number;
}

/** A server that dies of its first requests does so well within this time. */
const YOUNG_MS = 30_000;
const IN_A_ROW_MAX = 3;
const PAUSE_MS = 10_000;
/** After the longest pause a person has repaired it, or nobody waits for it any more. */
const PAUSE_MS_MAX = 600_000;
export const DEATH_LIMITS: DeathLimits = {
  youngMs: YOUNG_MS,
  inARowMax: IN_A_ROW_MAX,
  pauseMs: PAUSE_MS,
  pauseMsMax: PAUSE_MS_MAX,
};
/** Doubling beyond this changes nothing. */
const DOUBLINGS_MAX = 30;

export interface Pause {
  readonly leftMs: number;
  readonly why: string;
}

export class Deaths {
  readonly #limits: DeathLimits;
  #inARow = 0;
  #pausedUntilMs = 0;
  #last = '';

  constructor(limits: DeathLimits) {
    this.#limits = limits;
  }

  /** `livedMs`: since it was ready; null when it never was. */
  note(death: { nowMs: number; livedMs: number | null; why: string; unit: number }): void {
    const { nowMs, livedMs, why, unit } = death;
    const { youngMs, inARowMax, pauseMs, pauseMsMax } = this.#limits;
    this.#last = why;
    this.#inARow = livedMs !== null && livedMs >= youngMs ? 0 : this.#inARow + 1;
    if (this.#inARow < inARowMax) return;
    const attempt = Math.min(this.#inARow - inARowMax, DOUBLINGS_MAX);
    this.#pausedUntilMs = nowMs + pauseMs + backoffMs({ attempt, baseMs: pauseMs, maxMs: pauseMsMax, unit });
  }

  /** Null when it may be started. */
  pause(nowMs: number): Pause | null {
    const leftMs = this.#pausedUntilMs - nowMs;
    if (leftMs <= 0) return null;
    const seconds = Math.ceil(leftMs / 1000);
    return {
      leftMs,
      why: `it died ${this.#inARow} times in a row, each time soon after its start, and is left alone for ${seconds} s more; the last time ${this.#last}`,
    };
  }
}
