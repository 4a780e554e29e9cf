// What both engines promise, on each: transactions, values, events, migrations. A difference between them is found here.
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { openTestStore, type StoreEngine, storeEngines } from '@jarvis/testkit';
import {
  createEventLog,
  type Database,
  eventLogMigration,
  type Migration,
  rehearseMigrations,
  sql,
} from '../src/index.ts';

const TABLES: readonly Migration[] = [
  eventLogMigration(1),
  {
    id: 2,
    name: 't',
    sql: 'CREATE TABLE t (id BIGINT PRIMARY KEY, v TEXT, n BIGINT, d DOUBLE PRECISION, b INTEGER)',
  },
];
const INSERTS_AT_ONCE = 40;

type Conform = (t: TestContext, engine: StoreEngine) => Promise<void>;
const engines = await storeEngines();

function conform(what: string, body: Conform): void {
  for (const engine of engines)
    test(`${engine.name}: ${what}`, { skip: engine.skip }, (t) => body(t, engine));
}

/** With tables, open until the test ends. */
function conformOpen(what: string, body: (db: Database) => Promise<void>): void {
  conform(what, async (t, engine) => body(await engine.open(t, TABLES)));
}

const idsOf = async (db: Database): Promise<number[]> =>
  (await db.all<{ id: number }>(sql`SELECT id FROM t ORDER BY id`)).map((row) => row.id);
const insert = (db: Database, id: number): Promise<number> =>
  db.transaction('test.step', (tx) => tx.run(sql`INSERT INTO t (id) VALUES (${id})`));

conformOpen('a table is read as before once its statistics are new', async (db) => {
  await db.transaction('test.step', async (tx) => {
    for (let id = 1; id <= 50; id++) await tx.run(sql`INSERT INTO t (id) VALUES (${id})`);
  });
  await db.refreshStatistics('t');
  assert.equal((await idsOf(db)).length, 50);
});

conformOpen('a throw rolls everything back and runs nothing that waits for the commit', async (db) => {
  let committed = false;
  const failing = db.transaction('test.step', async (tx) => {
    await tx.run(sql`INSERT INTO t (id, v) VALUES (1, 'a')`);
    tx.afterCommit(() => (committed = true));
    throw new Error('no');
  });
  await assert.rejects(failing, /no/);
  assert.deepEqual(await idsOf(db), []);
  assert.equal(committed, false);
  await insert(db, 2);
  assert.deepEqual(await idsOf(db), [2]);
});

conformOpen('what waits for the commit runs when others can read what was written', async (db) => {
  const seen = Promise.withResolvers<number[]>();
  const answer = await db.transaction('test.step', async (tx) => {
    await tx.run(sql`INSERT INTO t (id) VALUES (1)`);
    tx.afterCommit(() => void idsOf(db).then(seen.resolve, seen.reject));
    return 'answer';
  });
  assert.equal(answer, 'answer');
  assert.deepEqual(await seen.promise, [1]);
});

conformOpen('transactions run one after another, and readers see committed rows only', async (db) => {
  const gate = Promise.withResolvers<void>();
  const written = Promise.withResolvers<void>();
  const first = db.transaction('test.step', async (tx) => {
    await tx.run(sql`INSERT INTO t (id, v) VALUES (1, 'a')`);
    assert.equal((await tx.all(sql`SELECT * FROM t`)).length, 1);
    written.resolve();
    await gate.promise;
  });
  const second = db.transaction(
    'test.step',
    async (tx) => (await tx.get<{ v: string }>(sql`SELECT v FROM t WHERE id = 1`))?.v,
  );
  await written.promise;
  assert.deepEqual(await idsOf(db), []);
  gate.resolve();
  await first;
  assert.equal(await second, 'a');
});

conformOpen('a counter that many transactions read and write loses nothing', async (db) => {
  await db.transaction('test.step', (tx) => tx.run(sql`INSERT INTO t (id, n) VALUES (1, 0)`));
  const increments = Array.from({ length: INSERTS_AT_ONCE }, () =>
    db.transaction('test.step', async (tx) => {
      const row = await tx.get<{ n: number }>(sql`SELECT n FROM t WHERE id = 1`);
      await tx.run(sql`UPDATE t SET n = ${(row?.n ?? 0) + 1} WHERE id = 1`);
    }),
  );
  await Promise.all(increments);
  const row = await db.get<{ n: number }>(sql`SELECT n FROM t WHERE id = 1`);
  assert.equal(row?.n, INSERTS_AT_ONCE);
});

conformOpen(
  'a transaction one of whose statements failed is not committed, also when that was caught',
  async (db) => {
    let committed = false;
    const doomed = db.transaction('test.step', async (tx) => {
      tx.afterCommit(() => (committed = true));
      await tx.run(sql`INSERT INTO t (id) VALUES (1)`);
      await tx.run(sql`INSERT INTO t (id) VALUES (1)`).catch(() => undefined);
    });
    await assert.rejects(doomed, /UNIQUE|duplicate key/);
    assert.deepEqual(await idsOf(db), []);
    const unawaited = db.transaction('test.step', async (tx) => {
      await tx.run(sql`INSERT INTO t (id) VALUES (2)`);
      void tx.run(sql`INSERT INTO t (id) VALUES (2)`).catch(() => undefined);
    });
    await assert.rejects(unawaited, /UNIQUE|duplicate key/);
    assert.deepEqual(await idsOf(db), []);
    assert.equal(committed, false);
  },
);

conformOpen(
  'statements that nobody waited for belong to the transaction; none comes after its end',
  async (db) => {
    let escaped: (() => Promise<number>) | undefined;
    await db.transaction('test.step', async (tx) => {
      void tx.run(sql`INSERT INTO t (id) VALUES (1)`);
      void tx.run(sql`INSERT INTO t (id) VALUES (2)`);
      escaped = () => tx.run(sql`INSERT INTO t (id) VALUES (3)`);
    });
    assert.deepEqual(await idsOf(db), [1, 2]);
    await assert.rejects(async () => await escaped?.(), /open transaction/);
    assert.deepEqual(await idsOf(db), [1, 2]);
  },
);

conformOpen('a statement says how many rows it changed', async (db) => {
  const changes = await db.transaction('test.step', async (tx) => [
    await tx.run(sql`INSERT INTO t (id) VALUES (1), (2)`),
    await tx.run(sql`INSERT INTO t (id) VALUES (1) ON CONFLICT (id) DO NOTHING`),
    await tx.run(sql`UPDATE t SET v = 'x'`),
    await tx.run(sql`DELETE FROM t WHERE id = 7`),
  ]);
  assert.deepEqual(changes, [2, 0, 2, 0]);
});

conformOpen('text, numbers, null and truth come back as they went in', async (db) => {
  const texts = ['', 'ä ß 漢字 🚀', 'a \'quoted\' "one" $1 ?', '{"a":"\\u0000"}', 'é ≠ é', ' lines\n\ttabs '];
  await db.transaction('test.step', async (tx) => {
    for (const [id, v] of texts.entries()) await tx.run(sql`INSERT INTO t (id, v) VALUES (${id}, ${v})`);
    await tx.run(sql`INSERT INTO t (id, v, n, d, b) VALUES (100, ${null}, ${-5}, ${0.1}, ${true})`);
    await tx.run(
      sql`INSERT INTO t (id, n, d, b) VALUES (101, ${Number.MAX_SAFE_INTEGER}, ${1e300}, ${false})`,
    );
  });
  const rows = await db.all<{ v: string }>(sql`SELECT v FROM t WHERE id < 100 ORDER BY id`);
  assert.deepEqual(
    rows.map((row) => row.v),
    texts,
  );
  assert.deepEqual(
    { ...(await db.get(sql`SELECT * FROM t WHERE id = 100`)) },
    { id: 100, v: null, n: -5, d: 0.1, b: 1 },
  );
  assert.deepEqual(
    { ...(await db.get(sql`SELECT * FROM t WHERE id = 101`)) },
    { id: 101, v: null, n: Number.MAX_SAFE_INTEGER, d: 1e300, b: 0 },
  );
  assert.equal(await db.get(sql`SELECT * FROM t WHERE id = 102`), undefined);
});

conformOpen('what is counted, summed and compared are numbers', async (db) => {
  await db.transaction('test.step', (tx) =>
    tx.run(sql`INSERT INTO t (id, n) VALUES (1, 4000000000), (2, 4000000000)`),
  );
  const row = await db.get(
    sql`SELECT COUNT(*) AS c, SUM(n) AS s, MAX(n) AS m, SUM(CASE WHEN id = 1 THEN 1 ELSE 0 END) AS k, 1 = 1 AS t, 1 = 2 AS f FROM t`,
  );
  assert.deepEqual({ ...row }, { c: 2, s: 8_000_000_000, m: 4_000_000_000, k: 1, t: 1, f: 0 });
});

conformOpen('a number beyond 2^53 is an error, not another number', async (db) => {
  await db.transaction('test.step', (tx) => tx.run(sql`INSERT INTO t (id, n) VALUES (1, 9007199254740993)`));
  await assert.rejects(db.all(sql`SELECT n FROM t`), { code: 'internal' });
  await assert.rejects(
    db.transaction('test.step', (tx) => tx.get(sql`SELECT n FROM t`)),
    { code: 'internal' },
  );
  assert.deepEqual(await idsOf(db), [1]);
});

conformOpen('what only one engine could store is refused by both', async (db) => {
  const put = (value: unknown) =>
    db.transaction('test.step', (tx) => tx.run(sql`INSERT INTO t (id, v) VALUES (1, ${value})`));
  await assert.rejects(put('a\0b'), { code: 'invalid_request' });
  await assert.rejects(put(Number.NaN), TypeError);
  await assert.rejects(put(1n), TypeError);
  await assert.rejects(put(new Date(0)), TypeError);
  await assert.rejects(put(undefined), TypeError);
  await assert.rejects(db.get(sql`SELECT * FROM t WHERE v = ${'\0'}`), { code: 'invalid_request' });
  await insert(db, 1);
});

conformOpen('events of a stream are gapless under concurrency and rollback', async (db) => {
  const log = createEventLog(db);
  const add = (n: number) =>
    db.transaction('test.step', async (tx) => {
      await log.append(tx, { stream: 's', type: 'x', data: { n }, at: 'now' });
      if (n % 3 === 0) throw new Error('rolled back');
    });
  const results = await Promise.allSettled(Array.from({ length: INSERTS_AT_ONCE }, (_, n) => add(n)));
  const stored = results.filter((r) => r.status === 'fulfilled').length;
  const events = await log.read('s', 0);
  assert.deepEqual(
    events.map((e) => e.seq),
    Array.from({ length: stored }, (_, i) => i + 1),
  );
  assert.ok(events.every((e) => (e.data as { n: number }).n % 3 !== 0));
  assert.equal(await log.lastSeq('s'), stored);
  assert.equal(await log.lastSeq('another'), 0);
});

conformOpen(
  'a follower gets what is there and what comes, each once, and ends behind the last',
  async (db) => {
    const log = createEventLog(db);
    const add = (type: string) =>
      db.transaction('test.step', (tx) => log.append(tx, { stream: 's', type, data: null, at: 'now' }));
    await add('a');
    await add('b');
    const seen: string[] = [];
    const caughtUp = Promise.withResolvers<void>();
    const reading = (async () => {
      const signal = new AbortController().signal;
      for await (const event of log.follow({
        stream: 's',
        after: 1,
        signal,
        isLast: (e) => e.type === 'end',
      })) {
        seen.push(`${event.seq}${event.type}`);
        caughtUp.resolve();
      }
    })();
    await caughtUp.promise;
    await Promise.all([add('c'), add('end'), add('late')]);
    await reading;
    assert.deepEqual(seen, ['2b', '3c', '4end']);
  },
);

conformOpen('a follower that is aborted while it waits ends', async (db) => {
  const log = createEventLog(db);
  const abort = new AbortController();
  const next = log.follow({ stream: 's', after: 0, signal: abort.signal }).next();
  abort.abort();
  assert.equal((await next).done, true);
});

conform('opening again applies nothing twice, and keeps what is there', async (t, engine) => {
  const place = await engine.place(t, TABLES);
  const first = await openTestStore(place);
  await insert(first, 1);
  await first.close();
  const again = await openTestStore(place);
  assert.deepEqual(await idsOf(again), [1]);
  await again.close();
});

conform(
  'a migration that was changed after it ran is refused, and so is a store of a newer version',
  async (t, engine) => {
    const place = await engine.place(t, TABLES);
    await (await openTestStore(place)).close();
    const changed = [eventLogMigration(1), { id: 2, name: 't', sql: 'CREATE TABLE u (id INTEGER)' }];
    await assert.rejects(openTestStore({ ...place, migrations: changed }), /changed after/);
    await assert.rejects(openTestStore({ ...place, migrations: [eventLogMigration(1)] }), /newer version/);
    await (await openTestStore(place)).close();
  },
);

const BROKEN: readonly Migration[] = [
  ...TABLES,
  { id: 3, name: 'half', sql: 'CREATE TABLE half (id INTEGER); CREATE TABLE half (id INTEGER);' },
];

conform('a migration that fails leaves nothing of itself', async (t, engine) => {
  const place = await engine.place(t, TABLES);
  const db = await openTestStore(place);
  await insert(db, 1);
  await db.close();
  await assert.rejects(openTestStore({ ...place, migrations: BROKEN }), /already exists/);
  const again = await openTestStore(place);
  assert.deepEqual(await idsOf(again), [1]);
  await assert.rejects(again.all(sql`SELECT * FROM half`), /half/);
  await again.close();
});

conform('a rehearsal says what would be applied, tries it, and changes nothing', async (t, engine) => {
  const place = await engine.place(t, TABLES);
  assert.deepEqual(
    (await rehearseMigrations(place)).pending.map((m) => m.id),
    [1, 2],
  );
  const db = await openTestStore(place);
  await insert(db, 1);
  const more = [...TABLES, { id: 3, name: 'u', sql: 'ALTER TABLE t ADD COLUMN extra TEXT' }];
  // Beside the running service, too.
  const report = await rehearseMigrations({ ...place, migrations: more });
  assert.equal(report.engine, engine.name);
  assert.equal(report.applied, 2);
  assert.deepEqual(report.pending, [{ id: 3, name: 'u' }]);
  await assert.rejects(rehearseMigrations({ ...place, migrations: BROKEN }), /already exists/);
  await assert.rejects(db.all(sql`SELECT extra FROM t`), /extra/);
  await db.close();
  assert.deepEqual((await rehearseMigrations({ ...place, migrations: more })).pending.length, 1);
  assert.deepEqual((await rehearseMigrations(place)).pending, []);
});

conform('close waits for what was asked before, and refuses what comes after', async (t, engine) => {
  const place = await engine.place(t, TABLES);
  const db = await openTestStore(place);
  const asked = insert(db, 1);
  await Promise.all([db.close(), db.close()]);
  await asked;
  await assert.rejects(insert(db, 2), { code: 'service_unavailable' });
  await assert.rejects(idsOf(db), { code: 'service_unavailable' });
  const again = await openTestStore(place);
  assert.deepEqual(await idsOf(again), [1]);
  await again.close();
});
