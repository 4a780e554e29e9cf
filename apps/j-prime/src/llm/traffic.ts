// The requests that the LLM server works on: those that J-Prime passed on, counted; those of others, as far as can be seen.
import { CodedError } from '@jarvis/contracts';
import type { Clock } from '@jarvis/runtime';

/** More at a time would only wait inside the server, and each has a connection to it. */
export const RUNNING_MAX = 256;
const RETRY_AFTER_SECONDS = 1;

/** Ends the request's part in the count; a second call does nothing. */
export type Leave = () => void;

export class Traffic {
  readonly #clock: Clock;
  #running = 0;
  #entered = 0;
  #busyElsewhere = false;
  #lastMs: number;
  readonly #whenQuiet = new Set<() => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#lastMs = clock.monotonic();
  }

  get running(): number {
    return this.#running;
  }
  /** How many there were since the start. */
  get entered(): number {
    return this.#entered;
  }
  get busyElsewhere(): boolean {
    return this.#busyElsewhere;
  }

  /** Milliseconds since the last request ended, also one of others; 0 while there is one. */
  idleMs(): number {
    return this.#running > 0 || this.#busyElsewhere ? 0 : this.#clock.monotonic() - this.#lastMs;
  }

  /** @throws {CodedError} `overloaded` */
  enter(): Leave {
    if (this.#running >= RUNNING_MAX)
      throw new CodedError('overloaded', `the LLM server works on ${this.#running} requests: try again`, {
        retry_after_seconds: RETRY_AFTER_SECONDS,
      });
    this.#running += 1;
    this.#entered += 1;
    let isIn = true;
    return () => {
      if (!isIn) return;
      isIn = false;
      this.#running -= 1;
      this.touch();
      if (this.#running === 0) for (const tell of this.#whenQuiet) tell();
    };
  }

  /** From now on it counts as idle. */
  touch(): void {
    this.#lastMs = this.#clock.monotonic();
  }

  noteElsewhere(busy: boolean): void {
    if (busy || this.#busyElsewhere) this.touch();
    this.#busyElsewhere = busy;
  }

  /** Resolves when none of ours runs, or when `signal` fires. */
  quiet(signal: AbortSignal): Promise<void> {
    if (this.#running === 0 || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        this.#whenQuiet.delete(done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      this.#whenQuiet.add(done);
      signal.addEventListener('abort', done, { once: true });
    });
  }
}
