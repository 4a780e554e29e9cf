// Who waits for one lock, first come first served. A waiter is a request, by its id; its call is what can be answered now.
// A call whose time is over leaves a place: who asks again within PLACE_KEPT_MS has it back, and until then it is passed by.

/** Calls of one request follow each other by a round trip; a client that takes longer was stopped, or has gone. */
export const PLACE_KEPT_MS = 5_000;

export interface LockAsk {
  readonly name: string;
  readonly holder: string;
  readonly requestId: string | null;
  readonly ttlMs: number;
  readonly waitMs: number;
  /** Fires when the client goes away. */
  readonly gone: AbortSignal;
}

export interface Grant {
  readonly token: number;
  readonly ttlMs: number;
}

export interface Call {
  readonly ask: LockAsk;
  readonly answer: (grant: Grant) => void;
  readonly refuse: (error: Error) => void;
}

export interface Waiter {
  readonly requestId: string;
  readonly holder: string;
  /** null: it has its place, but there is nobody to be answered. */
  call: Call | null;
}

export class Line {
  readonly name: string;
  readonly #waiters: Waiter[] = [];
  #tail: Promise<unknown> = Promise.resolve();
  #working = 0;
  #alarm = new AbortController();

  constructor(name: string) {
    this.name = name;
  }

  /** All that decides about one lock happens one after another. */
  async serially<T>(work: () => Promise<T>): Promise<T> {
    this.#working += 1;
    const done = this.#tail.then(work);
    this.#tail = done.catch(() => undefined);
    try {
      return await done;
    } finally {
      this.#working -= 1;
    }
  }

  get isIdle(): boolean {
    return this.#working === 0 && this.#waiters.length === 0;
  }

  get length(): number {
    return this.#waiters.length;
  }

  get calls(): Call[] {
    return this.#waiters.flatMap((w) => (w.call === null ? [] : [w.call]));
  }

  find(requestId: string | null): Waiter | undefined {
    return this.#waiters.find((w) => w.requestId === requestId);
  }

  /** The first that can be answered. */
  first(): Waiter | undefined {
    return this.#waiters.find((w) => w.call !== null);
  }

  /** Whether nobody who could be answered came before this request. */
  isInTurn(requestId: string | null): boolean {
    const first = this.first();
    const own = this.#waiters.findIndex((w) => w.requestId === requestId);
    return first === undefined || (own !== -1 && own <= this.#waiters.indexOf(first));
  }

  join(waiter: Waiter): void {
    this.#waiters.push(waiter);
  }

  leave(waiter: Waiter): void {
    const at = this.#waiters.indexOf(waiter);
    if (at !== -1) this.#waiters.splice(at, 1);
    waiter.call = null;
  }

  /** A new alarm; the one before rings no more. */
  setAlarm(): AbortSignal {
    this.#alarm.abort();
    this.#alarm = new AbortController();
    return this.#alarm.signal;
  }
}
