// Waiting for a lock: first come first served, and never a grant that nobody holds, whoever goes away and when.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { isCodedError } from '@jarvis/contracts';
import { silentLogger } from '@jarvis/runtime';
import type { Database } from '@jarvis/store';
import { ManualClock, type StoreEngine, storeEngines, until } from '@jarvis/testkit';
import { LockDesk, WAITERS_MAX, WAITERS_PER_LOCK_MAX } from '../src/locks/desk.ts';
import { type Grant, PLACE_KEPT_MS } from '../src/locks/line.ts';
import { listLocks } from '../src/store/locks.ts';
import { MIGRATIONS } from '../src/store/migrations.ts';

const TTL_MS = 60_000;
const WAIT_MS = 30_000;
const NAME = 'reports';

interface Asked {
  readonly holder: string;
  /** `token 3`, or the code of the refusal. */
  readonly outcome: Promise<string>;
  /** The client goes away. */
  readonly hangUp: () => void;
}

/** A desk on a store of its own, with clients that wait. */
class World {
  readonly clock = new ManualClock();
  readonly desk: LockDesk;
  readonly #db: Database;
  readonly #answered: string[] = [];

  private constructor(db: Database) {
    this.#db = db;
    this.desk = new LockDesk({ db, clock: this.clock, logger: silentLogger() });
  }

  static async open(
    t: TestContext,
    engine: StoreEngine,
    wrap = (db: Database): Database => db,
  ): Promise<World> {
    const world = new World(wrap(await engine.open(t, MIGRATIONS)));
    t.after(() => world.desk.stop());
    return world;
  }

  /** Asks as `holder`, whose request has its name too. */
  ask(holder: string, { waitMs = WAIT_MS, name = NAME, requestId = `of-${holder}` } = {}): Asked {
    const gone = new AbortController();
    const outcome = this.desk
      .acquire({ name, holder, requestId, ttlMs: TTL_MS, waitMs, gone: gone.signal })
      .then(
        ({ token }: Grant) => `token ${token}`,
        (error: unknown) => (isCodedError(error) ? error.code : String(error)),
      );
    void outcome.then((said) => this.#answered.push(`${holder}: ${said}`));
    return { holder, outcome, hangUp: () => gone.abort() };
  }

  /** Asks, and is in the line when this returns. */
  async waits(holder: string, options: Parameters<World['ask']>[1] = {}): Promise<Asked> {
    const name = options.name ?? NAME;
    const before = this.desk.waiting(name);
    const asked = this.ask(holder, options);
    await until(`${holder} to wait`, () => this.desk.waiting(name) > before);
    return asked;
  }

  async takes(holder: string): Promise<void> {
    assert.match(await this.ask(holder, { waitMs: 0 }).outcome, /^token/);
  }

  async release(holder: string): Promise<void> {
    assert.ok(await this.desk.release({ name: NAME, holder, token: await this.token() }));
  }

  async token(): Promise<number> {
    return (await listLocks(this.#db)).find((l) => l.name === NAME)?.token ?? 0;
  }

  async holder(): Promise<string | null> {
    return (await listLocks(this.#db)).find((l) => l.name === NAME)?.holder ?? null;
  }

  /** All that was answered so far, in its order. */
  get answered(): readonly string[] {
    return this.#answered;
  }
}

type Case = (world: World) => Promise<void>;

const CASES: Readonly<Record<string, Case>> = {
  'who came first gets it first, and nobody who came later passes': async (w) => {
    await w.takes('a');
    const waiting = [await w.waits('b'), await w.waits('c'), await w.waits('d')];
    for (const { holder, outcome } of waiting) {
      await w.release((await w.holder()) ?? '');
      assert.match(await outcome, /^token/);
      assert.equal(await w.holder(), holder);
      assert.equal(await w.ask('late', { waitMs: 0 }).outcome, 'lock_held');
    }
    assert.deepEqual(
      w.answered.filter((said) => said.includes('token')),
      ['a: token 1', 'b: token 2', 'c: token 3', 'd: token 4'],
    );
  },
  'nobody passes those who wait, also not in the moment in which it is free': async (w) => {
    await w.takes('a');
    const b = await w.waits('b');
    const back = w.desk.release({ name: NAME, holder: 'a', token: 1 });
    const passes = w.ask('late', { waitMs: 0 });
    const joins = w.ask('c');
    assert.ok(await back);
    assert.equal(await passes.outcome, 'lock_held');
    assert.equal(await b.outcome, 'token 2');
    await w.release('b');
    assert.equal(await joins.outcome, 'token 3');
  },
  'it goes to the first in line when the time of its holder is over': async (w) => {
    await w.takes('a');
    const b = await w.waits('b', { waitMs: 2 * TTL_MS });
    w.clock.advance(TTL_MS - 1);
    assert.equal(await w.ask('probe', { waitMs: 0 }).outcome, 'lock_held');
    await until('its time to be over', async () => {
      w.clock.advance(1);
      return (await w.holder()) === 'b';
    });
    assert.equal(await b.outcome, 'token 2');
  },
  'who hangs up waits no more, and gets nothing': async (w) => {
    await w.takes('a');
    const b = await w.waits('b');
    const c = await w.waits('c');
    b.hangUp();
    assert.equal(await b.outcome, 'lock_held');
    await w.release('a');
    assert.equal(await c.outcome, 'token 2');
    assert.equal(w.desk.waiting(NAME), 0);
  },
  'who waited long enough is told so, and has its place again when it asks at once': async (w) => {
    await w.takes('a');
    const b = await w.waits('b', { waitMs: 1_000 });
    await w.waits('c');
    w.clock.advance(1_000);
    assert.equal(await b.outcome, 'lock_held');
    const again = await w.waits('b');
    await w.release('a');
    assert.equal(await again.outcome, 'token 2');
  },
  'a place that nobody comes back to is passed by, then gone': async (w) => {
    await w.takes('a');
    const b = await w.waits('b', { waitMs: 1_000 });
    const c = await w.waits('c');
    w.clock.advance(1_000);
    await b.outcome;
    await w.release('a');
    assert.equal(await c.outcome, 'token 2');
    await w.waits('d');
    w.clock.advance(PLACE_KEPT_MS);
    const again = await w.waits('b');
    await w.release('c');
    await until('the next to have it', async () => (await w.holder()) !== null);
    assert.equal(await w.holder(), 'd');
    await w.release('d');
    assert.equal(await again.outcome, 'token 4');
  },
  'the same request on another connection takes the place of the first': async (w) => {
    await w.takes('a');
    const first = await w.waits('b');
    await w.waits('c');
    const second = w.ask('b');
    assert.equal(await first.outcome, 'lock_held');
    first.hangUp();
    await w.release('a');
    assert.equal(await second.outcome, 'token 2');
    assert.equal(await w.ask('b', { waitMs: 0 }).outcome, 'token 2', 'and again, while it holds');
  },
  'a request that is called off waits no more, and its copy is refused': async (w) => {
    await w.takes('a');
    const b = await w.waits('b');
    assert.equal(await w.desk.cancel(NAME, 'of-b'), false);
    assert.equal(await b.outcome, 'request_ended');
    await w.release('a');
    assert.equal(await w.ask('b').outcome, 'request_ended');
    assert.equal(await w.holder(), null);
  },
  'what a request holds that is called off goes to the next': async (w) => {
    await w.takes('a');
    const b = await w.waits('b');
    assert.equal(await w.desk.cancel(NAME, 'of-a'), true);
    assert.equal(await b.outcome, 'token 2');
  },
  'no more wait than may': async (w) => {
    await w.takes('a');
    const some = Array.from({ length: WAITERS_PER_LOCK_MAX }, (_, i) => w.ask(`w${i}`));
    assert.equal(await w.ask('one-more').outcome, 'overloaded');
    assert.equal(await w.ask('w0', { waitMs: 0 }).outcome, 'lock_held', 'who waits already may ask');
    const locks = WAITERS_MAX / WAITERS_PER_LOCK_MAX;
    for (let i = 1; i < locks; i += 1) {
      const name = `other-${i}`;
      assert.match(await w.ask('a', { name, requestId: `a-${i}` }).outcome, /^token/);
      for (let n = 0; n < WAITERS_PER_LOCK_MAX; n += 1) some.push(w.ask(`w${n}`, { name }));
      await until('all of them to wait', () => w.desk.waiting(name) === WAITERS_PER_LOCK_MAX);
    }
    assert.match(await w.ask('a', { name: 'last', requestId: 'a-last' }).outcome, /^token/);
    assert.equal(await w.ask('b', { name: 'last' }).outcome, 'overloaded');
    await w.desk.stop();
    assert.deepEqual(
      new Set(await Promise.all(some.map(({ outcome }) => outcome))),
      new Set(['service_unavailable']),
    );
  },
  'once it stops, who waits is told to ask again, and nobody waits any more': async (w) => {
    await w.takes('a');
    const b = await w.waits('b');
    await w.desk.stop();
    assert.equal(await b.outcome, 'service_unavailable');
    assert.equal(await w.ask('c').outcome, 'service_unavailable');
    await w.release('a');
    assert.equal(await w.holder(), null);
  },
  'nobody waits for a slot': async (w) => {
    assert.equal(await w.ask('a', { name: 'training/0' }).outcome, 'invalid_request');
  },
};

/** Runs `act` between a grant that is stored and its answer, once. */
function beforeTheAnswer(db: Database, when: { act: (() => void) | null }): Database {
  return {
    all: (query) => db.all(query),
    get: (query) => db.get(query),
    close: () => db.close(),
    refreshStatistics: (table) => db.refreshStatistics(table),
    onReconnected: (listener) => db.onReconnected(listener),
    transaction: async (step, work) => {
      const result = await db.transaction(step, work);
      const isGrant = (result as { kind?: string } | null)?.kind === 'granted';
      if (isGrant) {
        const { act } = when;
        when.act = null;
        act?.();
      }
      return result;
    },
  };
}

for (const engine of await storeEngines()) {
  const options = { skip: engine.skip };
  for (const [title, check] of Object.entries(CASES))
    test(`${engine.name}: ${title}`, options, async (t) => check(await World.open(t, engine)));

  for (const leaves of ['hangs up', 'has waited long enough'] as const)
    test(`${engine.name}: granted while who waits ${leaves}, it goes to the next`, options, async (t) => {
      const when: { act: (() => void) | null } = { act: null };
      const w = await World.open(t, engine, (db) => beforeTheAnswer(db, when));
      await w.takes('a');
      const b = await w.waits('b', { waitMs: 1_000 });
      const c = await w.waits('c');
      when.act = () => (leaves === 'hangs up' ? b.hangUp() : w.clock.advance(1_000));
      await w.release('a');
      assert.equal(await c.outcome, 'token 3', 'token 2 was never told to anybody');
      assert.equal(await b.outcome, 'lock_held');
      assert.equal(await w.holder(), 'c');
      await w.release('c');
      assert.equal(await w.ask('b').outcome, 'token 4', 'its request may ask again');
    });

  test(`${engine.name}: granted at once to who has hung up, it is free again`, options, async (t) => {
    const when: { act: (() => void) | null } = { act: null };
    const w = await World.open(t, engine, (db) => beforeTheAnswer(db, when));
    const a = w.ask('a');
    when.act = () => a.hangUp();
    assert.equal(await a.outcome, 'lock_held');
    assert.equal(await w.holder(), null);
    assert.equal(await w.ask('b', { waitMs: 0 }).outcome, 'token 2');
  });
}
