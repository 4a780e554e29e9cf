// One thing at a time, in the order of asking: transactions of a database, decisions that must not be interleaved.
import { CodedError } from '@jarvis/contracts';

const WAITING_MAX = 10_000;
const RETRY_AFTER_SECONDS = 1;

export class Serial {
  readonly #what: string;
  #tail: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #closed = false;

  /** `what` waits, in words, for who comes when too many do. */
  constructor(what: string) {
    this.#what = what;
  }

  /** Throws `overloaded` when too many wait, `service_unavailable` after `close`. */
  run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closed) return Promise.reject(closedError());
    if (this.#waiting >= WAITING_MAX)
      return Promise.reject(
        new CodedError('overloaded', `${WAITING_MAX} ${this.#what} are waiting`, {
          retry_after_seconds: RETRY_AFTER_SECONDS,
        }),
      );
    this.#waiting += 1;
    const result = this.#tail.then(work).finally(() => (this.#waiting -= 1));
    this.#tail = result.catch(() => undefined);
    return result;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Refuses what comes from now on, and waits for what came before. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#tail;
  }
}

export function closedError(): CodedError {
  return new CodedError('service_unavailable', 'the store is closed');
}
