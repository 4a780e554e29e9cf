// While Reactor Core does not answer, nothing is started, and everybody who waits is told so.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LEASE_TTL_MS } from './memory-store.ts';
import { measured, World } from './world.ts';

const AWAY = { type: 'reactor_away', reason: 'connection refused' } as const;
const ANSWERS = { type: 'runs_observed', runs: [] } as const;

test('before it has said which runs it has, nothing is started', async () => {
  const world = new World();
  const id = await world.submit();
  await world.tell(measured());
  assert.equal(world.job(id).state, 'queued');
  assert.match(world.job(id).reason, /nothing is started: Reactor Core has not answered yet/);
  await world.tell(ANSWERS);
  assert.equal(world.job(id).state, 'starting');
});

test('away, the queue stands still and says why; back again, it goes on', async () => {
  const world = await new World().wake();
  await world.tell(AWAY);
  const id = await world.submit();
  assert.equal(world.job(id).state, 'queued');
  assert.match(world.job(id).reason, /nothing is started: connection refused/);
  await world.tell(ANSWERS);
  assert.equal(world.job(id).state, 'starting');
});

test('away, a job that has its memory granted waits; when the lease runs out it asks anew', async () => {
  const world = await new World().wake();
  await world.tell(measured({ othersBytes: 10 }));
  const id = await world.submit();
  await world.tell(AWAY, measured());
  const lease = world.job(id).leaseId ?? '';
  assert.equal(world.store.leases.get(lease)?.state, 'granted');
  assert.equal(world.store.leases.get(lease)?.expiresAtMs, world.nowMs + LEASE_TTL_MS);
  assert.equal(world.job(id).state, 'waiting_for_memory');
  world.nowMs += LEASE_TTL_MS;
  await world.tell(measured());
  assert.equal(world.job(id).state, 'queued');
  await world.tell(ANSWERS);
  assert.notEqual(world.job(id).leaseId, lease);
  assert.equal(world.job(id).state, 'starting');
});

test('away, a run that trains is followed further: it may be the way to Reactor Core that is cut', async () => {
  const world = await new World().wake();
  const id = await world.train();
  await world.tell(AWAY);
  assert.deepEqual(world.work.follow, [id]);
});
