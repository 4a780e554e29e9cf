// Whether anybody may train: what a person said outlives the process, and ends by itself when it was for a while.
import assert from 'node:assert/strict';
import { createEventLog } from '@jarvis/store';
import { localMinuteOfDay, TrainingGate } from '../src/budget/gate.ts';
import { LeaseTable } from '../src/store/leases.ts';
import { setUp, test } from './coordinator-world.ts';

async function gateOf({ db, clock }: Awaited<ReturnType<typeof setUp>>): Promise<TrainingGate> {
  const options = { db, clock, window: null, loadMax: 0.5, trainsOnBattery: true };
  const gate = new TrainingGate({ ...options, minuteOfDay: () => 0 });
  await gate.open();
  return gate;
}

test('a pause holds until it is resumed, also over a restart', async (t) => {
  const s = await setUp(t);
  const gate = await gateOf(s);
  assert.deepEqual(gate.state(), { held: false, reason: null, paused: false, paused_until: null });
  await gate.pause('a film', undefined);
  const after = await gateOf(s);
  assert.equal(after.hold()?.reason, 'training is paused (a film); `jarvis resume` lets it go on');
  assert.equal(after.state().paused, true);
  await after.resume();
  assert.equal((await gateOf(s)).hold(), null);
});

test('a pause for a while ends by itself, and a second one replaces the first', async (t) => {
  const s = await setUp(t);
  const gate = await gateOf(s);
  await gate.pause('', 60);
  await gate.pause('', 10);
  assert.equal(gate.state().paused_until, new Date(s.clock.now() + 10_000).toISOString());
  s.clock.advance(10_000);
  assert.deepEqual(gate.state(), { held: false, reason: null, paused: false, paused_until: null });
});

test('a machine in use holds too, and is no pause', async (t) => {
  const gate = await gateOf(await setUp(t));
  gate.noteUse({ loadPerProcessor: 0.6, onBattery: false });
  assert.deepEqual([gate.state().held, gate.state().paused], [true, false]);
  assert.match(gate.state().reason ?? '', /a load of 0\.60/);
});

test('the minute of the day is that of the clock on the wall', async () => {
  const noon = new Date(2026, 5, 15, 12, 34).getTime();
  assert.equal(localMinuteOfDay(noon), 12 * 60 + 34);
});

test('a lease is asked back once, while it is granted, and says why', async (t) => {
  const { db, clock } = await setUp(t);
  const events = createEventLog(db);
  const leases = new LeaseTable(events);
  const nowMs = clock.now();
  const need = { ram_bytes: 1, vram_bytes: {} };
  const reclaim = (): Promise<boolean> =>
    db.transaction('test.step', (tx) => leases.reclaim(tx, 'l1', 'a request waits', nowMs));
  await db.transaction('test.step', (tx) =>
    leases.request(tx, { leaseId: 'l1', holder: 'own', need, reason: '', nowMs }),
  );
  assert.equal(await reclaim(), false, 'not granted yet');
  await db.transaction('test.step', (tx) =>
    leases.change(tx, { leaseId: 'l1', to: 'granted', reason: '', nowMs, ttlMs: 1000 }),
  );
  assert.deepEqual([await reclaim(), await reclaim()], [true, false]);
  const told: string[] = [];
  const signal = AbortSignal.timeout(5_000);
  const isLast = (event: { type: string }): boolean => event.type === 'reclaim_requested';
  for await (const event of events.follow({ stream: 'lease/l1', after: 0, signal, isLast }))
    told.push(event.type);
  assert.deepEqual(told, ['requested', 'granted', 'reclaim_requested']);
});
