// What J-Prime keeps, on both engines of the store: evidence gathers, is sent in order and goes; routes and room are found again.
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { Evidence, MakeRoom } from '@jarvis/contracts';
import { type Database, sql } from '@jarvis/store';
import { storeEngines } from '@jarvis/testkit';
import { readOutboxFacts, readRoomFacts } from '../src/store/invariants.ts';
import { MIGRATIONS } from '../src/store/migrations.ts';
import {
  acknowledge,
  addBroken,
  addEvidence,
  type Broken,
  type CountRow,
  type EventRow,
  readOutbox,
  readUnheard,
  refuse,
  type RequestCount,
  takeBatch,
} from '../src/store/outbox.ts';
import { closeRooms, openRooms, roomOf, saveRoom } from '../src/store/room.ts';
import { knownRoutes, lastServed, saveLastServed, saveRoutes } from '../src/store/routes.ts';

const AT = '2026-11-24T12:00:00.000Z';
const BATCH_ROWS = 100;
const engines = await storeEngines();

function onEach(what: string, body: (db: Database) => Promise<void>): void {
  for (const engine of engines)
    test(`${engine.name}: ${what}`, { skip: engine.skip }, async (t: TestContext) =>
      body(await engine.open(t, MIGRATIONS)),
    );
}

const requests = (id: string, count: number, step = 0): RequestCount => ({
  evidence_id: id,
  kind: 'requests',
  deployment_id: 'd',
  arm: 'candidate',
  observed_at: AT,
  step,
  count,
});
const failed = (id: string) => ({
  evidence_id: id,
  kind: 'failed' as const,
  deployment_id: 'd',
  arm: 'stable' as const,
  observed_at: AT,
  weight: 0.25,
  session_hash: 'h',
});
const failure = (id: string): EventRow => failed(id);
const broken = (id: string, deployment: string): Broken => ({
  evidence_id: id,
  kind: 'broken',
  deployment_id: deployment,
  arm: 'candidate',
  observed_at: AT,
  detail: 'does not load',
});
const idsOf = (batch: readonly Evidence[]): string[] => batch.map((e) => e.evidence_id);

onEach(
  'what was answered in the shadow gathers as requests do; slow answers and pairs are rows',
  async (db) => {
    const shadowed = (id: string, count: number, failures: number): CountRow => ({
      ...requests(id, count),
      kind: 'shadowed',
      failures,
      differed: count - failures,
    });
    const differed: EventRow = {
      evidence_id: 'p',
      kind: 'differed',
      deployment_id: 'd',
      arm: 'candidate',
      observed_at: AT,
      pair_id: 'pair-1',
      stable_output: { intent: 'a' },
      candidate_output: { intent: 'b', score: [1, null] },
    };
    const slow: EventRow = { ...failed('s'), kind: 'slow' };
    await addEvidence(db, [requests('a', 2), shadowed('b', 3, 1)], [differed]);
    await addEvidence(db, [shadowed('c', 4, 0)], [slow]);
    assert.deepEqual(await takeBatch(db, BATCH_ROWS), [
      requests('a', 2),
      { ...shadowed('b', 7, 1), differed: 6 },
      differed,
      slow,
    ]);
    assert.deepEqual(await readUnheard(db), { failures: 0, optional: 2 });
  },
);

onEach('requests gather in one row until it is sent; a row goes when it was acknowledged', async (db) => {
  await addEvidence(db, [requests('a', 2)], [failure('f')]);
  await addEvidence(db, [requests('b', 3), requests('c', 1, 1)], []);
  const batch = await takeBatch(db, BATCH_ROWS);
  assert.deepEqual(batch, [requests('a', 5), failure('f'), requests('c', 1, 1)]);
  await addEvidence(db, [requests('d', 7)], []);
  assert.deepEqual(await takeBatch(db, BATCH_ROWS), batch, 'what was tried comes again as it was');
  assert.deepEqual(await readUnheard(db), { failures: 1, optional: 0 });
  await acknowledge(db, batch);
  assert.deepEqual(await takeBatch(db, BATCH_ROWS), [requests('d', 7)]);
  assert.equal((await readOutbox(db)).pending, 1);
});

onEach('rows keep their order over those that went, and what is refused is set aside', async (db) => {
  await addEvidence(db, [], [failure('1'), failure('2')]);
  await acknowledge(db, await takeBatch(db, BATCH_ROWS));
  await addEvidence(db, [], [failure('3'), failure('4'), failure('5')]);
  const batch = await takeBatch(db, 2);
  assert.deepEqual(idsOf(batch), ['3', '4']);
  assert.ok(batch[0]);
  await refuse(db, batch[0], 'no such deployment');
  assert.deepEqual(idsOf(await takeBatch(db, BATCH_ROWS)), ['4']);
});

onEach('a broken candidate is told of once for each deployment', async (db) => {
  await addBroken(db, broken('1', 'd'));
  await addBroken(db, broken('2', 'd'));
  await addBroken(db, broken('3', 'e'));
  assert.deepEqual(idsOf(await takeBatch(db, BATCH_ROWS)), ['1', '3']);
});

onEach('routes and what was served last are found again, the newest of each', async (db) => {
  assert.equal(await knownRoutes(db), null);
  await saveRoutes(db, { revision: 1, routes: [] });
  await saveRoutes(db, { revision: 2, routes: [] });
  assert.deepEqual(await knownRoutes(db), { revision: 2, routes: [] });
  const digest = 'a'.repeat(64);
  await saveLastServed(db, { modelType: 'nlu', version: 'v0.1.0', digest });
  await saveLastServed(db, { modelType: 'nlu', version: 'v0.1.1', digest });
  assert.deepEqual(await lastServed(db), [{ modelType: 'nlu', version: 'v0.1.1', digest }]);
});

onEach('a request for room is answered the same again, and is open until it is given back', async (db) => {
  const answer = (id: string): MakeRoom => ({
    request_id: id,
    state: 'done',
    steps: [],
    freed_bytes: 5,
    reason: 'r',
  });
  assert.equal(await roomOf(db, 'a'), undefined);
  await saveRoom(db, { asked: 'q', answer: answer('a'), unloaded: [], llm: false });
  await saveRoom(db, { asked: 'q', answer: answer('a'), unloaded: [], llm: true });
  await saveRoom(db, { asked: 'q', answer: answer('b'), unloaded: [], llm: false });
  assert.deepEqual(
    (await openRooms(db)).map((room) => room.answer.request_id),
    ['a', 'b'],
  );
  await closeRooms(db);
  assert.deepEqual(await openRooms(db), []);
  assert.deepEqual(await roomOf(db, 'a'), { asked: 'q', answer: answer('a'), unloaded: [], llm: true });
});

onEach('the facts of the invariants and the outbox as it stands', async (db) => {
  assert.deepEqual(await readOutbox(db), { pending: 0, oldestAt: null, refused: 0 });
  await addEvidence(db, [requests('a', 1), requests('b', 1, 1)], [failure('c')]);
  await takeBatch(db, 2);
  await db.transaction('test.break', (tx) =>
    tx.run(sql`UPDATE outbox SET arm = 'nobody' WHERE evidence_id = 'c'`),
  );
  const facts = await db.transaction('test.read', readOutboxFacts);
  assert.deepEqual([facts.lastTriedSeq, facts.firstFreshSeq, facts.gatheredTwice], [2, 3, []]);
  assert.equal(facts.unreadable.length, 1);
  assert.match(facts.unreadable[0] ?? '', /^c \(arm: /);
  assert.deepEqual(await readOutbox(db), { pending: 3, oldestAt: AT, refused: 0 });
  assert.deepEqual(await db.transaction('test.read', readRoomFacts), { open: 0, unreadable: [] });
});
