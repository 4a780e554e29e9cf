// What each operation on a lock does, on both engines of the store, with time that the test moves.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { isCodedError, type ErrorCode } from '@jarvis/contracts';
import { type Database, sql, type Transaction } from '@jarvis/store';
import { storeEngines } from '@jarvis/testkit';
import { ENDED_REQUESTS_MAX } from '../src/store/lock-requests.ts';
import {
  type Acquired,
  cancelRequest,
  createSlotLocks,
  listLocks,
  releaseLock,
  releaseLocksOf,
  renewLock,
  requestLock,
  withdrawGrant,
} from '../src/store/locks.ts';
import { MIGRATIONS } from '../src/store/migrations.ts';

const TTL_MS = 60_000;

/** One lock, asked for at a time that the test says. */
class Subject {
  nowMs = 1_700_000_000_000;
  readonly name: string;
  readonly #db: Database;

  constructor(db: Database, name = 'reports') {
    this.#db = db;
    this.name = name;
  }

  acquire(holder: string, requestId: string | null = null, ttlMs = TTL_MS, inTurn = true): Promise<Acquired> {
    const { name, nowMs } = this;
    return this.#in((tx) => requestLock(tx, { name, holder, requestId, nowMs, ttlMs, inTurn }));
  }
  async takes(...asked: Parameters<Subject['acquire']>): Promise<number> {
    const answer = await this.acquire(...asked);
    assert.ok(answer.kind === 'granted', `${asked[0]} gets it`);
    return answer.token;
  }
  renew(holder: string, token: number): Promise<number | null> {
    const { name, nowMs } = this;
    return this.#in((tx) => renewLock(tx, { name, holder, token, nowMs, ttlMs: TTL_MS }));
  }
  release(holder: string, token: number): Promise<boolean> {
    return this.#in((tx) => releaseLock(tx, { name: this.name, holder, token }));
  }
  cancel(requestId: string): Promise<boolean> {
    return this.#in((tx) => cancelRequest(tx, this.name, requestId));
  }
  withdraw(holder: string, token: number): Promise<void> {
    return this.#in((tx) => withdrawGrant(tx, { name: this.name, holder, token }));
  }
  releaseAllOf(holder: string): Promise<void> {
    return this.#in((tx) => releaseLocksOf(tx, holder));
  }
  async row(): Promise<{ holder: string | null; token: number; leftMs: number | null }> {
    const lock = (await listLocks(this.#db)).find((l) => l.name === this.name);
    assert.ok(lock !== undefined, `there is a lock ${this.name}`);
    const leftMs = lock.expires_at === null ? null : Date.parse(lock.expires_at) - this.nowMs;
    return { holder: lock.holder, token: lock.token, leftMs };
  }
  async refused(code: ErrorCode, ...asked: Parameters<Subject['acquire']>): Promise<void> {
    await assert.rejects(this.acquire(...asked), (error) => isCodedError(error, code));
  }
  #in<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.#db.transaction('test.lock', work);
  }
}

type Case = (subject: Subject, db: Database) => Promise<void>;

const CASES: Readonly<Record<string, Case>> = {
  'one has it until it is released, and each grant has a higher token': async (s) => {
    assert.equal(await s.takes('a'), 1);
    assert.equal((await s.acquire('b')).kind, 'held');
    assert.equal(await s.release('b', 1), false);
    assert.equal(await s.release('a', 2), false);
    assert.equal(await s.release('a', 1), true);
    assert.equal(await s.release('a', 1), false, 'once');
    assert.equal(await s.takes('b'), 2);
  },
  'without a request id its holder gets it again, while its time lasts': async (s) => {
    assert.equal(await s.takes('a'), 1);
    s.nowMs += TTL_MS - 1;
    assert.equal(await s.takes('a'), 1);
    assert.equal((await s.row()).leftMs, TTL_MS, 'its time begins anew');
    s.nowMs += TTL_MS;
    assert.equal(await s.takes('a'), 2, 'what it had is over: this is another grant');
  },
  'the same request gets the same grant; another of the same holder does not': async (s) => {
    assert.equal(await s.takes('a', 'r1'), 1);
    s.nowMs += 1_000;
    assert.equal(await s.takes('a', 'r1', 5_000), 1);
    assert.equal((await s.row()).leftMs, TTL_MS, 'for as long as it was granted, from now');
    assert.equal((await s.acquire('a', 'r2')).kind, 'held');
    assert.equal((await s.acquire('a')).kind, 'held');
    await s.refused('idempotency_conflict', 'b', 'r1');
  },
  'a request whose grant is over never gets a second one': async (s) => {
    await s.takes('a', 'r1');
    await s.release('a', 1);
    await s.refused('request_ended', 'a', 'r1');
    await s.takes('a', 'r2', 1_000);
    s.nowMs += 1_000;
    await s.refused('request_ended', 'a', 'r2');
    assert.equal(await s.takes('b', 'r3'), 3);
    await s.refused('request_ended', 'a', 'r2');
    await s.releaseAllOf('b');
    await s.refused('request_ended', 'b', 'r3');
    assert.equal((await s.row()).holder, null, 'who was refused holds nothing');
  },
  'a request that was cancelled takes nothing, before, while and after it holds': async (s) => {
    assert.equal(await s.cancel('r1'), false);
    await s.refused('request_ended', 'a', 'r1');
    assert.equal(await s.takes('a', 'r2'), 1);
    assert.equal(await s.cancel('other'), false);
    assert.equal((await s.row()).holder, 'a');
    assert.equal(await s.cancel('r2'), true);
    assert.equal(await s.cancel('r2'), false, 'once');
    assert.equal((await s.row()).holder, null);
    await s.refused('request_ended', 'a', 'r2');
    assert.equal(await s.renew('a', 1), null);
    assert.equal(await s.takes('b', 'r3'), 2);
  },
  'a grant that was taken back leaves its request free to ask again': async (s) => {
    assert.equal(await s.takes('a', 'r1'), 1);
    await s.withdraw('a', 1);
    assert.equal(await s.takes('b', 'r2'), 2);
    await s.withdraw('a', 1);
    assert.equal((await s.row()).holder, 'b', 'an old token takes nothing back');
    await s.release('b', 2);
    assert.equal(await s.takes('a', 'r1'), 3);
  },
  'who is not in turn gets only what it has': async (s) => {
    assert.deepEqual(await s.acquire('a', 'r1', TTL_MS, false), {
      kind: 'held',
      holder: null,
      expiresAtMs: null,
    });
    await s.takes('a', 'r1');
    assert.equal(await s.takes('a', 'r1', TTL_MS, false), 1);
    s.nowMs += TTL_MS;
    assert.equal((await s.acquire('b', 'r2', TTL_MS, false)).kind, 'held');
  },
  'its time is over to the millisecond; then it is neither renewed nor kept': async (s) => {
    await s.takes('a', null, 1_000);
    s.nowMs += 999;
    assert.equal((await s.acquire('b')).kind, 'held');
    assert.equal(await s.renew('a', 1), 1_000);
    s.nowMs += 999;
    assert.equal((await s.acquire('b')).kind, 'held');
    s.nowMs += 1;
    assert.equal(await s.renew('a', 1), null);
    assert.equal(await s.takes('b'), 2);
    assert.equal(await s.renew('a', 1), null);
    assert.equal(await s.release('a', 1), false);
  },
  'late and not taken yet, a token may still be given back': async (s) => {
    await s.takes('a', null, 1_000);
    s.nowMs += 5_000;
    assert.equal(await s.release('a', 1), true);
  },
  'renewing needs holder and token, and what is free is not renewed': async (s) => {
    await s.takes('a');
    assert.equal(await s.renew('a', 2), null);
    assert.equal(await s.renew('b', 1), null);
    await s.release('a', 1);
    assert.equal(await s.renew('a', 1), null);
  },
  'the clock is set forward: its time is over, and the next token is higher': async (s) => {
    await s.takes('a', 'r1');
    s.nowMs += 365 * 86_400_000;
    assert.equal(await s.renew('a', 1), null);
    assert.equal(await s.takes('b', 'r2'), 2);
  },
  'the clock is set back: a silent holder blocks for its TTL and no longer': async (s) => {
    await s.takes('a', 'r1');
    s.nowMs -= 365 * 86_400_000;
    const refused = await s.acquire('b', 'r2');
    assert.deepEqual(refused, { kind: 'held', holder: 'a', expiresAtMs: s.nowMs + TTL_MS });
    assert.equal(await s.renew('a', 1), TTL_MS, 'it holds still');
    assert.equal((await s.row()).leftMs, TTL_MS);
    s.nowMs += TTL_MS;
    assert.equal(await s.takes('b', 'r2'), 2);
  },
  'parts of a millisecond are whole ones in the store': async (s) => {
    await s.takes('a', null, 1_000.4);
    assert.equal((await s.row()).leftMs, 1_000);
    assert.equal(await s.renew('a', 1), 1_000);
  },
  'ended requests are remembered for each lock, up to a limit': async (s, db) => {
    const other = new Subject(db, 'other');
    for (const subject of [other, s]) await subject.cancel('r0');
    await s.cancel('r1');
    await db.transaction('test.lock', async (tx) => {
      await tx.run(sql`UPDATE lock_requests_ended SET seq = ${ENDED_REQUESTS_MAX} WHERE request_id = 'r1'`);
    });
    await s.cancel('r2');
    for (const known of ['r1', 'r2']) await s.refused('request_ended', 'a', known);
    await other.refused('request_ended', 'a', 'r0');
    assert.equal(await s.takes('a', 'r0'), 1, 'the oldest is forgotten');
  },
};

const SLOT_CASES: Readonly<Record<string, Case>> = {
  "a slot's holder is a job: its time alone does not end it, and it is renewed late": async (s) => {
    assert.equal(await s.takes('job-1'), 1);
    s.nowMs += 10 * TTL_MS;
    assert.equal((await s.acquire('job-2')).kind, 'held');
    assert.equal(await s.takes('job-1', 'r1'), 1, 'the job has it, whoever asks for it');
    s.nowMs += 10 * TTL_MS;
    assert.equal(await s.renew('job-1', 1), TTL_MS);
    await s.releaseAllOf('job-1');
    assert.equal(await s.takes('job-2'), 2);
  },
  'a slot that there is not is refused': async (_s, db) => {
    await new Subject(db, 'training/7').refused('not_found', 'job-1');
  },
};

async function withSlot(db: Database): Promise<void> {
  await db.transaction('test.lock', (tx) => createSlotLocks(tx, 1));
}

for (const engine of await storeEngines()) {
  for (const [title, check] of Object.entries(CASES)) {
    test(`${engine.name}: ${title}`, { skip: engine.skip }, async (t: TestContext) => {
      const db = await engine.open(t, MIGRATIONS);
      await check(new Subject(db), db);
    });
  }
  for (const [title, check] of Object.entries(SLOT_CASES)) {
    test(`${engine.name}: ${title}`, { skip: engine.skip }, async (t: TestContext) => {
      const db = await engine.open(t, MIGRATIONS);
      await withSlot(db);
      await check(new Subject(db, 'training/0'), db);
    });
  }
}
