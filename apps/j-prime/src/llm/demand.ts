// Requests that are held up until the LLM server is ready. Each leaves in one way: passed on, refused, or gone with its client.
import { CodedError } from '@jarvis/contracts';
import type { Clock } from '@jarvis/runtime';
import type { Leave } from './traffic.ts';

/** Each holds a connection of its client; who comes when so many wait had better come again. */
export const HELD_MAX = 128;
const RETRY_AFTER_SECONDS = 5;

/** After `ms` a request is refused with what `errorOf` says; null: it may wait on. */
export interface Limit {
  readonly ms: number;
  readonly errorOf: () => CodedError | null;
}

interface Held {
  pass(leave: Leave): void;
  refuse(error: unknown): void;
}

export class Demand {
  readonly #clock: Clock;
  readonly #onEmpty: () => void;
  readonly #held = new Set<Held>();

  constructor(clock: Clock, onEmpty: () => void) {
    this.#clock = clock;
    this.#onEmpty = onEmpty;
  }

  get size(): number {
    return this.#held.size;
  }

  /**
   * Resolves when it is passed on, and counts as running from then on.
   * @throws {CodedError} `overloaded`, or why it was refused; `signal`'s reason when the client is gone
   */
  async hold(limits: readonly Limit[], signal: AbortSignal): Promise<Leave> {
    if (this.#held.size >= HELD_MAX)
      throw new CodedError('overloaded', `${this.#held.size} requests wait for the LLM server: try again`, {
        retry_after_seconds: RETRY_AFTER_SECONDS,
      });
    const { promise, resolve, reject } = Promise.withResolvers<Leave>();
    const held: Held = { pass: resolve, refuse: reject };
    this.#held.add(held);
    const over = new AbortController();
    for (const { ms, errorOf } of limits)
      void this.#clock.sleep(ms, over.signal).then(() => {
        const error = over.signal.aborted ? null : errorOf();
        if (error !== null && this.#held.delete(held)) reject(error);
      });
    const gone = (): void => {
      if (this.#held.delete(held)) reject(signal.reason);
    };
    if (signal.aborted) gone();
    signal.addEventListener('abort', gone, { once: true });
    try {
      return await promise;
    } finally {
      over.abort();
      signal.removeEventListener('abort', gone);
      if (this.#held.size === 0) this.#onEmpty();
    }
  }

  /** Lets all go on, each with a place of its own among the running. */
  passAll(enter: () => Leave): void {
    for (const held of this.#taken()) {
      try {
        held.pass(enter());
      } catch (error) {
        held.refuse(error);
      }
    }
  }

  refuseAll(error: CodedError): void {
    for (const held of this.#taken()) held.refuse(error);
  }

  #taken(): Held[] {
    const all = [...this.#held];
    this.#held.clear();
    return all;
  }
}
