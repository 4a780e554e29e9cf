// The store fails at each of its calls, as a full disk makes it: the error is told, nothing is lost, and when there is
// room again everything goes on by itself.
import { STRANGERS_LEASE } from './memory-store.ts';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isCodedError } from '@jarvis/contracts';
import type { CoordinatorStore } from '../src/index.ts';
import { asked, measured, World } from './world.ts';

const isFull = (error: unknown): boolean => isCodedError(error, 'storage_full');

/** While the call fails something is done; then there is room, and time for a look. */
async function whileFull(
  world: World,
  call: keyof CoordinatorStore,
  act: () => Promise<void>,
): Promise<void> {
  world.store.failing.add(call);
  await act();
  assert.ok(world.errors.length > 0, `${call} was tried`);
  assert.ok(
    world.errors.every((e) => isFull(e.error)),
    JSON.stringify(world.errors),
  );
  world.store.failing.clear();
  await world.tell({ type: 'look' });
}

for (const call of ['load', 'takeSlot', 'grantLease', 'beginStart'] as const) {
  test(`${call}: the job starts when there is room again`, async () => {
    const world = await new World().wake();
    await whileFull(world, call, () => world.submit().then(() => undefined));
    assert.equal(world.job('job-1').state, 'starting');
    assert.deepEqual(world.work.start, ['job-1']);
    assert.deepEqual(world.errors.at(-1)?.event, { type: 'look' }, 'the cycle fails, not the submission');
  });
}

test('submit: who asks is told, and nothing is half there', async () => {
  const world = await new World().wake();
  world.store.failing.add('submit');
  await assert.rejects(world.coordinator.submit(asked()), isFull);
  assert.equal(world.store.jobs.size, 0);
  assert.deepEqual(world.errors, []);
});

test('markTraining: the start is asked for again, and its answer taken then', async () => {
  const world = await new World().wake();
  const id = await world.submit();
  await whileFull(world, 'markTraining', () =>
    world.tell({ type: 'run_started', jobId: id, token: world.token(id) }),
  );
  assert.deepEqual(world.work.start, [id]);
  await world.begin(id);
});

for (const call of ['end', 'moveCursor'] as const) {
  test(`${call}: the event is read again from where the store is`, async () => {
    const world = await new World().wake();
    const id = await world.train();
    const done = (): Promise<void> => world.hear(id, 1, 'completed', { model_version: 'v0.1.0' });
    await whileFull(world, call, async () => {
      await done();
      if (call === 'end') assert.deepEqual(world.work.follow, [], 'the reader that is ahead is ended');
    });
    if (call === 'end') assert.deepEqual(world.work.follow, [id]);
    await done();
    assert.equal(world.job(id).state, 'completed');
  });
}

test('progress: its event is read again', async () => {
  const world = await new World().wake();
  const id = await world.train();
  const status = { status: 'running', epoch: 1, total_epochs: 2 };
  await whileFull(world, 'progress', () => world.hear(id, 1, 'status', status));
  assert.deepEqual([world.work.follow, world.job(id).runCursor], [[id], 0]);
  await world.hear(id, 1, 'status', status);
  assert.deepEqual([world.job(id).progress?.epoch, world.job(id).runCursor], [1, 1]);
});

test('requeue: a refused start is asked for again', async () => {
  const world = await new World().wake();
  const id = await world.submit();
  const refusal = { reason: 'no room', final: false, busy: false, retryAfterMs: 0 };
  const event = { type: 'run_refused', jobId: id, token: world.token(id), ...refusal } as const;
  await whileFull(world, 'requeue', () => world.tell(event));
  assert.deepEqual(world.work.start, [id]);
});

test('requestCancel: who asks is told, and the job goes on', async () => {
  const world = await new World().wake();
  const id = await world.train();
  world.store.failing.add('requestCancel');
  await assert.rejects(world.coordinator.cancel(id), isFull);
  assert.equal(world.job(id).cancelRequested, false);
});

test('beginPreempt and drainLease: decided anew when there is room', async () => {
  const world = await new World().wake();
  const id = await world.train('embedding');
  world.nowMs += 30_000;
  await world.tell(measured());
  await whileFull(world, 'beginPreempt', () => world.submit({ model_type: 'voice' }).then(() => undefined));
  assert.equal(world.job(id).state, 'preempting');
});

test('drainLease: J-Prime is asked when there is room', async () => {
  const world = await new World().wake();
  const prime = { heldBytes: 10, idleMs: 60_000, activeRequests: 0 };
  await world.tell(measured({ services: [{ owner: 'j-prime', measuredBytes: 10 }], prime }));
  await whileFull(world, 'drainLease', () => world.submit().then(() => undefined));
  assert.deepEqual(world.work.drain, [world.job('job-1').leaseId]);
});

test('expireLease: a lease that ran out is expired when there is room', async () => {
  const world = await new World().wake();
  const need = { host_id: 'h', ram_bytes: 1, vram_bytes: {} };
  const lease = {
    leaseId: 'l',
    ...STRANGERS_LEASE,
    holder: 'stranger',
    need,
    expiresAtMs: world.nowMs,
    reason: '',
  };
  world.store.leases.set('l', { ...lease, state: 'granted' });
  await whileFull(world, 'expireLease', () => world.tell({ type: 'look' }));
  assert.equal(world.store.leases.get('l')?.state, 'expired_unconfirmed');
});

test('explain: what is to be done outside does not wait for a sentence', async () => {
  const world = await new World().wake();
  const id = await world.train();
  const before = world.performed.length;
  await whileFull(world, 'explain', () => world.submit({ model_type: 'voice' }).then(() => undefined));
  assert.ok(world.performed.length > before);
  assert.deepEqual(world.work.follow, [id]);
  assert.match(world.job('job-2').reason, /number 1 in the queue/);
});

test('releaseSilent: what a stranger holds is given back by a later look, after two words again', async () => {
  const world = new World();
  world.store.slots[0] = { slot: 0, holder: 'stranger', token: 7, expiresAtMs: world.nowMs };
  const none = { type: 'runs_observed', runs: [] } as const;
  await whileFull(world, 'releaseSilent', () => world.tell(none, none));
  await world.tell(none);
  assert.equal(world.store.slots[0]?.holder, null);
});
