import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import {
  createEventLog,
  type Database,
  eventLogMigration,
  openSqlite,
  sql,
  takeHomeLock,
} from '../src/index.ts';

let folder: string;
let db: Database;
const migrations = [
  eventLogMigration(1),
  { id: 2, name: 't', sql: 'CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)' },
];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'jarvis-store-'));
  db = await openSqlite({ path: join(folder, 'a.db'), migrations });
});
afterEach(async () => {
  await db.close();
  await rm(folder, { recursive: true });
});

test('a throw rolls everything back and runs nothing that waits for the commit', async () => {
  let committed = false;
  await assert.rejects(
    db.transaction('test.step', async (tx) => {
      await tx.run(sql`INSERT INTO t (id, v) VALUES (1, 'a')`);
      tx.afterCommit(() => (committed = true));
      throw new Error('no');
    }),
    /no/,
  );
  assert.deepEqual(await db.all(sql`SELECT * FROM t`), []);
  assert.equal(committed, false);
});

test('transactions run one after another, and readers see committed rows only', async () => {
  const gate = Promise.withResolvers<void>();
  const first = db.transaction('test.step', async (tx) => {
    await tx.run(sql`INSERT INTO t (id, v) VALUES (1, 'a')`);
    await gate.promise;
  });
  const second = db.transaction(
    'test.step',
    async (tx) => (await tx.get<{ v: string }>(sql`SELECT v FROM t WHERE id = 1`))?.v,
  );
  assert.deepEqual(await db.all(sql`SELECT * FROM t`), []);
  gate.resolve();
  await first;
  assert.equal(await second, 'a');
});

test('a migration that was changed after it ran is refused, and so is a home of a newer version', async () => {
  const path = join(folder, 'a.db');
  await assert.rejects(
    openSqlite({
      path,
      migrations: [eventLogMigration(1), { id: 2, name: 't', sql: 'CREATE TABLE u (id INTEGER)' }],
    }),
    /changed after/,
  );
  await assert.rejects(openSqlite({ path, migrations: [eventLogMigration(1)] }), /newer version/);
});

test('events of a stream are gapless, and a rolled back one leaves no gap', async () => {
  const log = createEventLog(db);
  const add = (n: number, fail = false) =>
    db.transaction('test.step', async (tx) => {
      await log.append(tx, { stream: 's', type: 'x', data: { n }, at: 'now' });
      if (fail) throw new Error('rolled back');
    });
  await add(1);
  await assert.rejects(add(2, true));
  await add(3);
  assert.deepEqual(
    (await log.read('s', 0)).map((e) => [e.seq, e.data]),
    [
      [1, { n: 1 }],
      [2, { n: 3 }],
    ],
  );
  assert.equal(await log.lastSeq('s'), 2);
});

test('a follower gets what is there and what comes, each once, and ends behind the last', async () => {
  const log = createEventLog(db);
  const add = (type: string) =>
    db.transaction('test.step', (tx) => log.append(tx, { stream: 's', type, data: null, at: 'now' }));
  await add('a');
  await add('b');
  const seen: string[] = [];
  const caughtUp = Promise.withResolvers<void>();
  const reading = (async () => {
    const follow = log.follow({
      stream: 's',
      after: 1,
      signal: new AbortController().signal,
      isLast: (e) => e.type === 'end',
    });
    for await (const event of follow) {
      seen.push(`${event.seq}${event.type}`);
      caughtUp.resolve();
    }
  })();
  await caughtUp.promise;
  await Promise.all([add('c'), add('end'), add('late')]);
  await reading;
  assert.deepEqual(seen, ['2b', '3c', '4end']);
});

test('a follower that is aborted while it waits ends', async () => {
  const log = createEventLog(db);
  const abort = new AbortController();
  const next = log.follow({ stream: 's', after: 0, signal: abort.signal }).next();
  abort.abort();
  assert.equal((await next).done, true);
});

test('a home has one holder', () => {
  const path = join(folder, 'lock.db');
  const lock = takeHomeLock(path, 'JARVIS Core');
  assert.throws(() => takeHomeLock(path, 'JARVIS Core'), { code: 'service_unavailable' });
  lock.release();
  takeHomeLock(path, 'JARVIS Core').release();
});
