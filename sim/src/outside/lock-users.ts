// Programs that take a named lock to write something shared. They are paused for longer than the lock lives; what they
// then write carries a token that is no longer the highest, and is refused where it is written. What they ask for has an id:
// not answered, they ask again with the same one, or call it off; a copy that arrives later takes nothing.
import type { Held } from '../core/holding-calls.ts';
import type { LockRow } from '../core/tables.ts';
import { Chance } from '../kernel/chance.ts';
import { SimProcess } from '../kernel/process.ts';
import { isRefused, type World } from '../world.ts';

const USERS = 3;
const NAME = 'shared-index';
const TTL_MS = 10_000;
const CALL_TIMEOUT_MS = 5_000;
const WORK_MS = 3_000;
const IDLE_MS = 90_000;
const RENEWALS = 3;
const PAUSE_SHARE = 0.25;
const ASK_AGAIN_MS = 4_000;
const ASKED_MAX = 3;

interface HeldByRequest extends Held {
  readonly requestId: string;
}

export class LockUsers {
  readonly #world: World;
  readonly #chance: Chance;
  /** The resource: the highest token that has written. */
  #highestToken = 0;
  /** When the lock was last granted or renewed, as served. */
  #grantedAtMs = -Infinity;
  #jumps = 0;
  /** As served: the token of each request, and the requests that were called off or given back. */
  readonly #tokenOf = new Map<string, number>();
  readonly #ended = new Set<string>();
  #requests = 0;

  constructor(world: World) {
    this.#world = world;
    this.#chance = new Chance(world.scenario.seed + 0x10c4);
  }

  begin(): void {
    for (let i = 0; i < USERS; i += 1) {
      const user = new SimProcess(`lock user ${i}`, this.#world.loop);
      user.start();
      this.#idle(user);
    }
  }

  #idle(user: SimProcess): void {
    user.after(this.#chance.waitMs(IDLE_MS), () => {
      if (this.#world.quiet) return;
      this.#requests += 1;
      this.#acquire(user, `request ${this.#requests}`, 1);
    });
  }

  #acquire(user: SimProcess, requestId: string, asked: number): void {
    const { loop } = this.#world;
    this.#ask(
      user,
      () => this.#serveAcquire(user, requestId),
      (token) => {
        if (token === null) return this.#askAgain(user, requestId, asked);
        if (this.#chance.happens(PAUSE_SHARE)) {
          this.#world.journal.fault('lock holder paused', user.name);
          user.stop();
          loop.after(TTL_MS * this.#chance.between(1, 3), () => user.goOn());
        }
        this.#work(user, { name: NAME, holder: user.name, token, requestId }, RENEWALS);
      },
    );
  }

  #serveAcquire(user: SimProcess, requestId: string): number {
    const { calls, invariants } = this.#world;
    const another = this.#row()?.requestId ?? requestId;
    const fresh = this.#isFresh();
    const token = this.#noting(() => calls.acquire(NAME, user.name, { ttlMs: TTL_MS, requestId }));
    if (another !== requestId && fresh)
      invariants.broken('lock', `${NAME} was granted while another's time was not over`);
    if (this.#ended.has(requestId)) invariants.broken('lock', `${requestId} was granted after its end`);
    if ((this.#tokenOf.get(requestId) ?? token) !== token)
      invariants.broken('lock', `${requestId} was granted twice, at last with token ${token}`);
    this.#tokenOf.set(requestId, token);
    return token;
  }

  /** Refused, or not answered: then it may have been granted. */
  #askAgain(user: SimProcess, requestId: string, asked: number): void {
    if (asked < ASKED_MAX) {
      user.after(this.#chance.waitMs(ASK_AGAIN_MS), () => this.#acquire(user, requestId, asked + 1));
      return;
    }
    this.#ask(
      user,
      () => {
        this.#world.calls.cancelLockRequest(NAME, requestId);
        this.#ended.add(requestId);
        return true;
      },
      () => this.#idle(user),
    );
  }

  #work(user: SimProcess, held: HeldByRequest, renewals: number): void {
    user.after(this.#chance.waitMs(WORK_MS), () => {
      this.#write(user, held.token);
      if (renewals === 0) return this.#release(user, held);
      this.#ask(
        user,
        () => {
          // A clock that was set makes it anybody's guess.
          const over = !this.#isFresh() && this.#jumps === this.#world.wallJumps;
          this.#noting(() => this.#world.calls.renew(held, TTL_MS));
          if (over) this.#world.invariants.broken('lock', `${NAME} was renewed after its time was over`);
          return true;
        },
        (renewed) => {
          if (renewed === null) this.#idle(user);
          else this.#work(user, held, renewals - 1);
        },
      );
    });
  }

  /** At the resource: only the highest token that was ever seen may write. */
  #write(user: SimProcess, token: number): void {
    if (token < this.#highestToken)
      this.#world.journal.fault('stale write refused', `${user.name}, token ${token}`);
    this.#highestToken = Math.max(this.#highestToken, token);
  }

  #release(user: SimProcess, held: HeldByRequest): void {
    this.#ask(
      user,
      () => {
        this.#world.calls.release(held);
        this.#ended.add(held.requestId);
        return true;
      },
      () => this.#idle(user),
    );
  }

  #row(): LockRow | undefined {
    return this.#world.core.tables.locks.get(NAME);
  }

  /** Notes when the lock's time was last set, also when JARVIS Core died before it could say so. */
  #noting<A>(work: () => A): A {
    const before = this.#row()?.expiresAtMs ?? null;
    try {
      return work();
    } finally {
      const after = this.#row()?.expiresAtMs ?? null;
      if (after !== null && after !== before) {
        this.#grantedAtMs = this.#world.loop.nowMs;
        this.#jumps = this.#world.wallJumps;
      }
    }
  }

  /** Whether the last grant's time is not over; a clock that was set makes that anybody's guess. */
  #isFresh(): boolean {
    const { loop, wallJumps } = this.#world;
    return this.#jumps === wallJumps && loop.nowMs - this.#grantedAtMs < TTL_MS;
  }

  #ask<A>(user: SimProcess, serve: () => A, then: (answer: A | null) => void): void {
    const { network, core } = this.#world;
    network.call<A>({
      what: `lock of ${user.name}`,
      from: user,
      to: core.process,
      timeoutMs: CALL_TIMEOUT_MS,
      serve: (reply) => reply(serve()),
      done: (answer) => then(isRefused(answer) ? null : answer),
    });
  }
}
