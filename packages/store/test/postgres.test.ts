// What only a server can do to a store: go away, lose an answer, let somebody else in, run out of patience or of space.
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { type CodedError, isCodedError } from '@jarvis/contracts';
import { afterwards, onServer, openTestStore, storeEngines, until } from '@jarvis/testkit';
import { Client, DatabaseError } from 'pg';
import {
  createEventLog,
  type Database,
  eventLogMigration,
  type Sql,
  sql,
  type StorePlace,
} from '../src/index.ts';
import { dropSchema } from '../src/postgres-migrate.ts';
import { placeOf, translatePostgres } from '../src/postgres-errors.ts';
import { startProxy } from './proxy.ts';

const TABLES = [
  eventLogMigration(1),
  { id: 2, name: 't', sql: 'CREATE TABLE t (id BIGINT PRIMARY KEY, v TEXT)' },
];
const engine = (await storeEngines()).find((e) => e.name === 'postgres');
assert.ok(engine);
const { skip } = engine;

type Server = StorePlace & { readonly databaseUrl: string };

async function serverFor(t: TestContext): Promise<Server> {
  const place = await engine?.place(t, TABLES);
  assert.ok(place !== undefined && place.databaseUrl !== null);
  return { ...place, databaseUrl: place.databaseUrl };
}

async function behindDoor(t: TestContext) {
  const place = await serverFor(t);
  const door = await startProxy(place.databaseUrl);
  afterwards(t, () => door.close());
  const lost: Error[] = [];
  const db = await openTestStore({ ...place, databaseUrl: door.url }, (error) => void lost.push(error));
  afterwards(t, () => db.close());
  return { place, door, db, lost };
}

const insert = (db: Database, id: number): Promise<number> =>
  db.transaction('test.step', (tx) => tx.run(sql`INSERT INTO t (id) VALUES (${id})`));
const ids = async (db: Database): Promise<number[]> =>
  (await db.all<{ id: number }>(sql`SELECT id FROM t ORDER BY id`)).map((row) => row.id);
/** Waits until calls work again. */
const untilBack = (db: Database): Promise<boolean> =>
  until('the store to be back', () =>
    ids(db).then(
      () => true,
      () => false,
    ),
  );
const untilAway = (db: Database): Promise<boolean> =>
  until('the outage to be seen', () =>
    ids(db).then(
      () => false,
      () => true,
    ),
  );
const isAway = (error: unknown): boolean =>
  isCodedError(error, 'service_unavailable') && (error.details.retry_after_seconds ?? 0) >= 1;

test(
  'while the server is away calls fail with a time to come again; later ones work',
  { skip },
  async (t) => {
    const { db, door } = await behindDoor(t);
    await insert(db, 1);
    assert.deepEqual(await ids(db), [1]);
    door.shut();
    await assert.rejects(insert(db, 2), isAway);
    await assert.rejects(ids(db), isAway);
    door.open();
    await untilBack(db);
    await insert(db, 3);
    assert.deepEqual(await ids(db), [1, 3]);
  },
);

test(
  'a transaction that is open when the connection breaks is rolled back, and its queue goes on',
  { skip },
  async (t) => {
    const { db, door } = await behindDoor(t);
    let committed = false;
    const broken = db.transaction('test.step', async (tx) => {
      tx.afterCommit(() => (committed = true));
      await tx.run(sql`INSERT INTO t (id) VALUES (1)`);
      door.shut();
      await tx.run(sql`INSERT INTO t (id) VALUES (2)`);
    });
    await assert.rejects(broken, isAway);
    door.open();
    await untilBack(db);
    assert.deepEqual(await ids(db), []);
    assert.equal(committed, false);
  },
);

test(
  'a transaction whose session was replaced while it did something else does not commit',
  { skip },
  async (t) => {
    const { db, door } = await behindDoor(t);
    const broken = db.transaction('test.step', async (tx) => {
      await tx.run(sql`INSERT INTO t (id) VALUES (1)`);
      door.shut();
      await untilAway(db);
      door.open();
      await untilBack(db);
    });
    await assert.rejects(broken, isAway);
    assert.deepEqual(await ids(db), []);
  },
);

test(
  'a commit whose answer was lost is told as such, runs nothing that waits for it, and followers catch up',
  { skip },
  async (t) => {
    const { db, door } = await behindDoor(t);
    const looked = Promise.withResolvers<void>();
    const log = createEventLog({
      all: async <T extends object>(query: Sql) => {
        const rows = await db.all<T>(query);
        looked.resolve();
        return rows;
      },
      get: (query) => db.get(query),
      transaction: (step, work) => db.transaction(step, work),
      refreshStatistics: (table) => db.refreshStatistics(table),
      onReconnected: (listener) => db.onReconnected(listener),
      close: () => db.close(),
    });
    const follower = log.follow({ stream: 's', after: 0, signal: new AbortController().signal });
    const next = follower.next();
    await looked.promise;
    let told = false;
    door.shutBehind('COMMIT\0');
    const lostAnswer = db.transaction('test.step', async (tx) => {
      await log.append(tx, { stream: 's', type: 'x', data: null, at: 'now' });
      tx.afterCommit(() => (told = true));
    });
    await assert.rejects(lostAnswer, (error) => isAway(error) && /may be stored or not/.test(String(error)));
    assert.equal(told, false);
    door.open();
    // Nobody writes to the stream any more: being connected again is what wakes the follower.
    assert.equal((await next).value?.seq, 1);
    await follower.return();
    assert.equal(await log.lastSeq('s'), 1);
  },
);

test('a schema has one writer; the next one may take it when that has closed', { skip }, async (t) => {
  const place = await serverFor(t);
  const first = await openTestStore(place);
  const second = { ...place, lockWaitMs: 300 };
  await assert.rejects(
    openTestStore(second),
    (error) =>
      isCodedError(error, 'service_unavailable') &&
      /another test store uses .*session \d+/.test(error.message),
  );
  await insert(first, 1);
  const waiting = openTestStore(place);
  await first.close();
  const third = await waiting;
  assert.deepEqual(await ids(third), [1]);
  await third.close();
  const other = await openTestStore({ ...place, schema: 'test_other' });
  assert.deepEqual(await ids(other), []);
  await other.close();
});

test(
  'a writer whose schema was taken during an outage writes and reads no more, and says so once',
  { skip },
  async (t) => {
    const { place, door, db, lost } = await behindDoor(t);
    await insert(db, 1);
    door.shut();
    const other = await openTestStore(place);
    await insert(other, 2);
    await other.close();
    door.open();
    await until('the loss to be told', () => lost.length > 0);
    await assert.rejects(insert(db, 3), /another test store has taken the schema/);
    await assert.rejects(ids(db), /another test store has taken the schema/);
    assert.equal(lost.length, 1);
    const after = await openTestStore(place);
    assert.deepEqual(await ids(after), [1, 2]);
    await after.close();
  },
);

test(
  'the fence holds within a session too: no transaction under another holder, or without the lock',
  { skip },
  async (t) => {
    for (const theft of [
      `UPDATE test_store.store_holder SET holder = 'somebody else'`,
      // What a pooler that hands out another session for each transaction comes to.
      `SELECT pg_advisory_unlock_all()`,
    ]) {
      const place = await serverFor(t);
      const lost: Error[] = [];
      const db = await openTestStore(place, (error) => void lost.push(error));
      let thief: Client | undefined;
      if (theft.startsWith('UPDATE')) await onServer(place.databaseUrl, theft);
      else {
        await db.all(sql`SELECT 1`);
        thief = new Client({ connectionString: place.databaseUrl });
        await thief.connect();
        const { rows } = await thief.query(
          `SELECT classid::bigint << 32 | objid::bigint AS key FROM pg_locks WHERE locktype = 'advisory'`,
        );
        await db.transaction('test.step', (tx) => tx.all(sql`SELECT pg_advisory_unlock_all()`));
        await thief.query('SELECT pg_advisory_lock($1)', [(rows[0] as { key: string }).key]);
      }
      await assert.rejects(insert(db, 1), /has taken the schema/);
      assert.equal(lost.length, 1);
      await thief?.end();
      await db.close();
      const { rowCount } = await onServer(place.databaseUrl, 'SELECT * FROM test_store.t');
      assert.equal(rowCount, 0);
    }
  },
);

test('an administrator who ends all sessions ends no process', { skip }, async (t) => {
  const place = await serverFor(t);
  const db = await openTestStore(place);
  afterwards(t, () => db.close());
  // Readers, too, so that the pool has something idle to lose.
  await Promise.all([ids(db), ids(db), ids(db)]);
  await onServer(
    place.databaseUrl,
    'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
  );
  await untilBack(db);
  await until('a write', () =>
    insert(db, 1).then(
      () => true,
      () => false,
    ),
  );
  assert.deepEqual(await ids(db), [1]);
});

test('a statement that takes too long is called off, and the session stays', { skip }, async (t) => {
  const place = await serverFor(t);
  const db = await openTestStore(place);
  afterwards(t, () => db.close());
  const slow = db.transaction('test.step', async (tx) => {
    await tx.run(sql`INSERT INTO t (id) VALUES (1)`);
    await tx.all(sql`SELECT set_config('statement_timeout', '50', true)`);
    await tx.all(sql`SELECT pg_sleep(10)`);
  });
  await assert.rejects(slow, isAway);
  await insert(db, 2);
  assert.deepEqual(await ids(db), [2]);
  const limit = await db.get<{ limit: string }>(sql`SELECT current_setting('statement_timeout') AS "limit"`);
  assert.equal(limit?.limit, '30s');
});

test('a table that has just grown has no statistics until they are asked for', { skip }, async (t) => {
  const db = await engine.open(t, TABLES);
  await db.transaction('test.step', async (tx) => {
    for (let id = 1; id <= 50; id++) await tx.run(sql`INSERT INTO t (id) VALUES (${id})`);
  });
  const known = async (): Promise<unknown> =>
    (await db.get(sql`SELECT CAST(reltuples AS INTEGER) AS n FROM pg_class WHERE oid = to_regclass('t')`))?.[
      'n'
    ];
  assert.notEqual(await known(), 50);
  await db.refreshStatistics('t');
  assert.equal(await known(), 50);
});

test('more readers than the pool has sessions all get their answer', { skip }, async (t) => {
  const place = await serverFor(t);
  const db = await openTestStore(place);
  afterwards(t, () => db.close());
  await insert(db, 1);
  const answers = await Promise.all(Array.from({ length: 50 }, () => ids(db)));
  assert.ok(answers.every((answer) => answer.join() === '1'));
});

test(
  'an acknowledged commit is on disk, also where the server would rather not wait',
  { skip },
  async (t) => {
    const place = await serverFor(t);
    const name = new URL(place.databaseUrl).pathname.slice(1);
    await onServer(place.databaseUrl, `ALTER DATABASE ${name} SET synchronous_commit = off`);
    const db = await openTestStore(place);
    const row = await db.transaction('test.step', (tx) =>
      tx.get<{ v: string }>(sql`SELECT current_setting('synchronous_commit') AS v`),
    );
    assert.equal(row?.v, 'on');
    await db.close();
  },
);

test('a schema is dropped with all that is in it', { skip }, async (t) => {
  const place = await serverFor(t);
  await (await openTestStore(place)).close();
  await dropSchema({ url: place.databaseUrl, schema: place.schema, service: 'test' });
  const { rowCount } = await onServer(
    place.databaseUrl,
    `SELECT 1 FROM pg_namespace WHERE nspname = 'test_store'`,
  );
  assert.equal(rowCount, 0);
});

test(
  'a server that is not there, a wrong login and a missing database say what to do, without the password',
  { skip },
  async (t) => {
    const place = await serverFor(t);
    const failure = async (change: (url: URL) => void): Promise<CodedError> => {
      const url = new URL(place.databaseUrl);
      url.password = 'verysecret';
      change(url);
      try {
        await (await openTestStore({ ...place, databaseUrl: url.href })).close();
      } catch (error) {
        assert.ok(isCodedError(error), String(error));
        assert.ok(!`${error.message} ${JSON.stringify(error)} ${String(error.cause)}`.includes('verysecret'));
        return error;
      }
      throw new Error('it opened');
    };
    const missing = await failure((url) => (url.pathname = '/nowhere'));
    assert.equal(missing.code, 'internal');
    assert.match(missing.message, /create the database/);
    const nobody = await failure((url) => (url.username = 'nobody_at_all'));
    assert.match(nobody.message, /correct DATABASE_URL/);
    const door = await startProxy(place.databaseUrl);
    await door.close();
    const away = await failure((url) => (url.port = new URL(door.url).port));
    assert.ok(isAway(away));
  },
);

test('what the server says becomes a code', () => {
  const codeOf = (sqlState: string): unknown => {
    const error = Object.assign(new DatabaseError('no', 2, 'error'), { code: sqlState });
    return (translatePostgres(error, 'here') as CodedError).code;
  };
  assert.equal(codeOf('53100'), 'storage_full');
  for (const state of ['57P01', '57P03', '53300', '08006', '57014', '55P03'])
    assert.equal(codeOf(state), 'service_unavailable', state);
  for (const state of ['25006', '42501', '28P01', '3D000']) assert.equal(codeOf(state), 'internal', state);
  assert.equal(codeOf('23505'), '23505');
  assert.equal(placeOf('postgres://me:secret@host:5433/db?x=1'), 'host:5433/db');
});
