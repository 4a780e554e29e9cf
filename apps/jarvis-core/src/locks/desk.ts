// Where locks are asked for. The store decides who holds one; this keeps who waits, in this process only: after a restart
// the clients ask again, with the same request ids. Nobody waits for a slot here: jobs have a queue of their own.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { CodedError, invariant, isCodedError } from '@jarvis/contracts';
import type { Clock, Logger } from '@jarvis/runtime';
import type { Database } from '@jarvis/store';
import {
  type Acquired,
  cancelRequest,
  releaseLock,
  requestLock,
  slotOf,
  withdrawGrant,
} from '../store/locks.ts';
import { type Call, type Grant, Line, type LockAsk, PLACE_KEPT_MS, type Waiter } from './line.ts';

export const WAITERS_PER_LOCK_MAX = 100;
export const WAITERS_MAX = 1_000;
/** A lock may also become free without a word here: the coordinator frees all that a job had, and the clock jumps. */
const LOOK_AGAIN_MS_MAX = 1_000;
const RETRY_AFTER_SECONDS = 1;
/** Turns of the event loop from the end of a connection, as the kernel has it, to its close here: three, and one to spare. */
const TURNS_TO_HEAR = 4;

export interface LockDeskOptions {
  readonly db: Database;
  readonly clock: Clock;
  readonly logger: Pick<Logger, 'warn'>;
}

type Arrival =
  | { readonly kind: 'granted'; readonly grant: Grant }
  /** In an object: a promise of a promise would be waited for inside of what happens serially. */
  | { readonly kind: 'waits'; readonly answered: Promise<Grant> };

export class LockDesk {
  readonly #options: LockDeskOptions;
  readonly #lines = new Map<string, Line>();
  readonly #stopping = new AbortController();

  constructor(options: LockDeskOptions) {
    this.#options = options;
  }

  /** Throws `lock_held` once `waitMs` are over, `request_ended`, or `overloaded` when too many wait. */
  async acquire(ask: LockAsk): Promise<Grant> {
    if (ask.waitMs > 0 && slotOf(ask.name) !== null)
      throw new CodedError(
        'invalid_request',
        `nobody waits for ${ask.name} here: slots go to jobs, in the order of their queue (POST /api/jobs)`,
      );
    const arrival = await this.#serially(ask.name, (line) => this.#arrive(line, ask));
    return arrival.kind === 'granted' ? arrival.grant : arrival.answered;
  }

  /** From now on the request holds nothing and gets nothing; true when it held the lock. */
  cancel(name: string, requestId: string): Promise<boolean> {
    return this.#serially(name, async (line) => {
      const released = await this.#options.db.transaction('core.lock.cancel', (tx) =>
        cancelRequest(tx, name, requestId),
      );
      const waiter = line.find(requestId);
      const call = waiter?.call;
      if (waiter !== undefined) line.leave(waiter);
      call?.refuse(new CodedError('request_ended', `request ${requestId} for ${name} was cancelled`));
      await this.#advance(line);
      return released;
    });
  }

  /** False when this token did not hold it. */
  async release(held: {
    readonly name: string;
    readonly holder: string;
    readonly token: number;
  }): Promise<boolean> {
    const released = await this.#options.db.transaction('core.lock.release', (tx) => releaseLock(tx, held));
    if (released && this.#lines.has(held.name)) void this.#serially(held.name, (line) => this.#advance(line));
    return released;
  }

  waiting(name: string): number {
    return this.#lines.get(name)?.calls.length ?? 0;
  }

  /** Whoever waits is told to ask again. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    for (const line of this.#lines.values()) {
      line.setAlarm();
      for (const { ask, refuse } of line.calls) {
        this.#leave(line, ask.requestId);
        refuse(stopping());
      }
    }
    await Promise.all([...this.#lines.values()].map((line) => line.serially(async () => undefined)));
  }

  async #serially<T>(name: string, work: (line: Line) => Promise<T>): Promise<T> {
    const line = this.#lines.get(name) ?? new Line(name);
    this.#lines.set(name, line);
    try {
      return await line.serially(() => work(line));
    } finally {
      this.#forget(line);
    }
  }

  #forget(line: Line): void {
    if (!line.isIdle) return;
    line.setAlarm();
    if (this.#lines.get(line.name) === line) this.#lines.delete(line.name);
  }

  async #arrive(line: Line, ask: LockAsk): Promise<Arrival> {
    const answer = await this.#attempt(ask, line.isInTurn(ask.requestId), () => !ask.gone.aborted);
    if (answer.kind === 'granted') {
      this.#leave(line, ask.requestId);
      return { kind: 'granted', grant: answer };
    }
    const waits = ask.waitMs > 0 && !ask.gone.aborted;
    const answered = waits ? this.#wait(line, ask, answer.holder) : null;
    if (answer.holder === null) await this.#advance(line);
    else if (waits) this.#lookAgain(line, answer.expiresAtMs);
    if (answered === null) throw heldBy(ask.name, answer.holder, line.length);
    return { kind: 'waits', answered };
  }

  /** Tries once. What was granted while its asker went away is taken back: else it would be held by nobody. */
  async #attempt(ask: LockAsk, inTurn: boolean, isWanted: () => boolean): Promise<Acquired> {
    const { db, clock } = this.#options;
    const answer = await db.transaction('core.lock.acquire', (tx) =>
      requestLock(tx, { ...ask, inTurn, nowMs: clock.now() }),
    );
    if (answer.kind === 'held' || !answer.isNew) return answer;
    // A transaction on SQLite lets nothing else happen: who hung up before it or during it has not been heard of yet.
    for (let turn = 0; turn < TURNS_TO_HEAR; turn += 1) await nextTurn();
    if (isWanted()) return answer;
    await this.#withdraw({ name: ask.name, holder: ask.holder, token: answer.token });
    return { kind: 'held', holder: null, expiresAtMs: null };
  }

  async #withdraw(held: {
    readonly name: string;
    readonly holder: string;
    readonly token: number;
  }): Promise<void> {
    const { db, logger } = this.#options;
    try {
      await db.transaction('core.lock.withdraw', (tx) => withdrawGrant(tx, held));
    } catch (error) {
      // Its time ends it, or the same request asks again and has it.
      logger.warn({ ...held, err: error }, 'a grant whose asker has gone could not be taken back');
    }
  }

  #wait(line: Line, ask: LockAsk, holder: string | null): Promise<Grant> {
    if (this.#stopping.signal.aborted) throw stopping();
    const waiter = line.find(ask.requestId) ?? this.#join(line, ask);
    waiter.call?.refuse(
      new CodedError('lock_held', `request ${waiter.requestId} was asked again: that call waits now`),
    );
    const { promise, resolve, reject } = Promise.withResolvers<Grant>();
    const over = new AbortController();
    const call: Call = { ask, answer: resolve, refuse: reject };
    waiter.call = call;
    ask.gone.addEventListener('abort', () => this.#clientGone(line, waiter, call), { signal: over.signal });
    void this.#options.clock
      .sleep(ask.waitMs, over.signal)
      .then(() => this.#timeOver(line, waiter, call, holder));
    const answered = promise.finally(() => over.abort());
    answered.catch(() => undefined); // it may be refused before anybody has heard that it waits
    return answered;
  }

  #join(line: Line, ask: LockAsk): Waiter {
    const all = [...this.#lines.values()].reduce((sum, { length }) => sum + length, 0);
    if (line.length >= WAITERS_PER_LOCK_MAX || all >= WAITERS_MAX)
      throw new CodedError(
        'overloaded',
        `${line.length} wait for ${line.name}, ${all} for any lock: no more may (${WAITERS_PER_LOCK_MAX}, ${WAITERS_MAX})`,
        { retry_after_seconds: RETRY_AFTER_SECONDS },
      );
    const { requestId, holder } = ask;
    invariant(requestId !== null, 'who waits has a request id');
    const waiter: Waiter = { requestId, holder, call: null };
    line.join(waiter);
    return waiter;
  }

  #clientGone(line: Line, waiter: Waiter, call: Call): void {
    if (waiter.call !== call) return;
    line.leave(waiter);
    call.refuse(heldBy(line.name, null, line.length));
    this.#forget(line);
  }

  #timeOver(line: Line, waiter: Waiter, call: Call, holder: string | null): void {
    if (waiter.call !== call) return;
    waiter.call = null;
    call.refuse(heldBy(line.name, holder, line.length));
    void this.#options.clock.sleep(PLACE_KEPT_MS, this.#stopping.signal).then(() => {
      if (waiter.call !== null) return;
      line.leave(waiter);
      this.#forget(line);
    });
  }

  #leave(line: Line, requestId: string | null): void {
    const waiter = line.find(requestId);
    if (waiter !== undefined) line.leave(waiter);
  }

  /** Gives the lock to the first who can be answered, as long as it is free. Each round answers one, or is the last. */
  async #advance(line: Line): Promise<void> {
    for (let waiter = line.first(); waiter !== undefined; waiter = line.first()) {
      const { call } = waiter;
      if (call === null) return;
      const answer = await this.#try(line, waiter, call);
      if (answer === 'later') return;
      if (answer === null || waiter.call !== call) continue;
      if (answer.kind === 'held') return this.#lookAgain(line, answer.expiresAtMs);
      line.leave(waiter);
      call.answer(answer);
    }
  }

  /** null: it was refused and waits no more; later: the store is away, and who waits goes on waiting. */
  async #try(line: Line, waiter: Waiter, call: Call): Promise<Acquired | 'later' | null> {
    try {
      return await this.#attempt(call.ask, true, () => waiter.call === call);
    } catch (error) {
      if (isCodedError(error, 'service_unavailable')) {
        this.#lookAgain(line, null);
        return 'later';
      }
      line.leave(waiter);
      call.refuse(error as Error);
      return null;
    }
  }

  /** When the time of its holder is over, and every now and then. */
  #lookAgain(line: Line, expiresAtMs: number | null): void {
    const { clock } = this.#options;
    const leftMs = expiresAtMs === null ? LOOK_AGAIN_MS_MAX : expiresAtMs - clock.now();
    const alarm = line.setAlarm();
    if (this.#stopping.signal.aborted) return;
    void clock.sleep(Math.min(Math.max(leftMs, 1), LOOK_AGAIN_MS_MAX), alarm).then(() => {
      if (!alarm.aborted) void this.#serially(line.name, () => this.#advance(line));
    });
  }
}

function heldBy(name: string, holder: string | null, waiting: number): CodedError {
  const who = holder === null ? `${name} goes to who waits already` : `${name} is held by ${holder}`;
  return new CodedError('lock_held', waiting === 0 ? who : `${who}; ${waiting} waiting`, {
    retry_after_seconds: RETRY_AFTER_SECONDS,
    ...(holder === null ? {} : { active_job_id: holder }),
  });
}

function stopping(): CodedError {
  return new CodedError(
    'service_unavailable',
    'JARVIS Core is stopping: ask again with the same request_id',
    {
      retry_after_seconds: RETRY_AFTER_SECONDS,
    },
  );
}
