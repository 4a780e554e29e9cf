// The real clock, moved: what waits for a time of day need not be waited for.
import { type Clock, systemClock } from '@jarvis/runtime';

export class ShiftedClock implements Clock {
  #shiftMs = 0;
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

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return systemClock.sleep(Math.min(ms, this.#sleepMsMax), signal);
  }
}
