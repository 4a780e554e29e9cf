// The real clock, moved: what waits for a time of day need not be waited for.
import { type Clock, systemClock } from '@jarvis/runtime';

export class ShiftedClock implements Clock {
  #shiftMs = 0;
  /** How often somebody has slept for so many milliseconds: the turns of the loops with this interval. */
  readonly #sleeps = new Map<number, number>();
  /** Sleeps longer than this last only so long. */
  readonly #sleepMsMax: number;

  constructor(sleepMsMax = Infinity) {
    this.#sleepMsMax = sleepMsMax;
  }

  /** Negative: somebody has put the clock back. */
  advance(seconds: number): void {
    this.#shiftMs += seconds * 1000;
  }

  now(): number {
    return systemClock.now() + this.#shiftMs;
  }

  monotonic(): number {
    return systemClock.monotonic();
  }

  turns(ms: number): number {
    return this.#sleeps.get(ms) ?? 0;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    this.#sleeps.set(ms, this.turns(ms) + 1);
    return systemClock.sleep(Math.min(ms, this.#sleepMsMax), signal);
  }
}
