// Holds a lock of JARVIS Core. Its time is counted from when the last answered request was sent, by the monotonic clock:
// whoever keeps to that has stopped before JARVIS Core gives the lock to another. A process that is paused between looking
// and writing has not, and the monotonic clock of Linux does not count while the machine is suspended; so what is written
// carries the token, and is refused where a higher one has been seen.
import { isCodedError, lockGrantedSchema, lockReleasedSchema } from '@jarvis/contracts';
import {
  askForLock,
  type GrantedLock,
  LOCK_ANSWER_MS_MAX,
  type LockAsking,
  lockPath,
} from './ask-for-lock.ts';

/** Two renewals may be lost before the third has to be answered. */
const RENEWALS_PER_TTL = 3;
const TRIES_PER_TTL = 20;
/** Clocks of two machines run differently fast: far less than this. */
const DRIFT_SHARE = 0.01;
const MARGIN_SHARE_MAX = 0.5;
const RELEASE_TRIES_MAX = 3;
const RELEASE_AGAIN_MS = 200;

export interface HoldLockOptions extends LockAsking {
  /** How much earlier than its time is over it counts as lost: for what has to be stopped then. At most half of its TTL. */
  readonly marginMs?: number;
}

/** `lost`: it was not held any more. `unknown`: nothing was answered; its time will end it. */
export type Release = 'released' | 'lost' | 'unknown';

export interface HeldLock {
  readonly name: string;
  /** To be sent with every write that the lock protects. */
  readonly token: number;
  /** Fires when it is lost, with an error that says how. */
  readonly lost: AbortSignal;
  /** For how many ms it is certainly held; 0 once it is not. */
  leftMs(): number;
  release(): Promise<Release>;
}

/** Waits for the lock, then renews it until it is released or lost. Throws as `askForLock` does. */
export async function holdLock(options: HoldLockOptions): Promise<HeldLock> {
  return new RenewedLock(options, await askForLock(options));
}

class RenewedLock implements HeldLock {
  readonly name: string;
  readonly token: number;
  readonly #options: HoldLockOptions;
  readonly #ttlMs: number;
  readonly #lost = new AbortController();
  readonly #ended = new AbortController();
  #deadlineMs: number;

  constructor(options: HoldLockOptions, { token, ttlMs, sentMs }: GrantedLock) {
    this.name = options.name;
    this.token = token;
    this.#options = options;
    this.#ttlMs = ttlMs;
    this.#deadlineMs = this.#deadlineOf(sentMs);
    void this.#keep();
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  leftMs(): number {
    if (this.#ended.signal.aborted) return 0;
    return Math.max(0, this.#deadlineMs - this.#options.clock.monotonic());
  }

  async release(): Promise<Release> {
    const { client, clock, holder } = this.#options;
    this.#ended.abort();
    const body = { holder, token: this.token };
    const how = { once: true, timeoutMs: LOCK_ANSWER_MS_MAX };
    for (let tries = 1; tries <= RELEASE_TRIES_MAX; tries += 1) {
      try {
        const { released } = await client.post(lockPath(this.name, 'release'), body, lockReleasedSchema, how);
        // The answer to an earlier try may have been lost.
        return released || tries > 1 ? 'released' : 'lost';
      } catch (error) {
        if (!isCodedError(error, 'service_unavailable')) return 'unknown';
        await clock.sleep(RELEASE_AGAIN_MS);
      }
    }
    return 'unknown';
  }

  #deadlineOf(sentMs: number): number {
    const marginMs = Math.max(this.#options.marginMs ?? 0, this.#ttlMs * DRIFT_SHARE);
    return sentMs + this.#ttlMs - Math.min(marginMs, this.#ttlMs * MARGIN_SHARE_MAX);
  }

  async #keep(): Promise<void> {
    const { clock } = this.#options;
    let renewed = true;
    while (!this.#ended.signal.aborted) {
      const pauseMs = this.#ttlMs / (renewed ? RENEWALS_PER_TTL : TRIES_PER_TTL);
      await clock.sleep(Math.min(pauseMs, this.leftMs()), this.#ended.signal);
      if (this.#ended.signal.aborted) return;
      renewed = this.leftMs() > 0 && (await this.#renew());
      if (this.leftMs() === 0) this.#lose('nothing renewed it in time');
    }
  }

  /** False when it has to be tried again soon. */
  async #renew(): Promise<boolean> {
    const { client, clock, holder } = this.#options;
    const sentMs = clock.monotonic();
    try {
      const body = { holder, token: this.token };
      await client.post(lockPath(this.name, 'renew'), body, lockGrantedSchema, {
        once: true,
        timeoutMs: Math.ceil(Math.min(this.leftMs(), LOCK_ANSWER_MS_MAX)),
        signal: this.#ended.signal,
      });
    } catch (error) {
      if (isCodedError(error, 'lock_lost')) this.#lose(error.message);
      return false;
    }
    // An answer that comes too late: nobody knew in between.
    if (this.leftMs() > 0) this.#deadlineMs = this.#deadlineOf(sentMs);
    return true;
  }

  #lose(how: string): void {
    if (this.#ended.signal.aborted) return;
    this.#ended.abort();
    this.#lost.abort(new Error(`the lock ${this.name} (token ${this.token}) is lost: ${how}`));
  }
}
