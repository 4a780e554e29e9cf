// Cancelling, at each stage that a job may be in.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isCodedError } from '@jarvis/contracts';
import { measured, World } from './world.ts';

const NEVER_RAN = { reason: 'cancelled before it started', modelVersion: null, error: null };

test('in the queue it is over at once', async () => {
  const world = new World();
  const id = await world.submit();
  await world.coordinator.cancel(id);
  assert.equal(world.job(id).state, 'cancelled');
  assert.deepEqual(world.job(id).ended, NEVER_RAN);
});

test('while it waits for memory it is over at once, and its slot is free again', async () => {
  const world = await new World().wake();
  await world.tell(measured({ othersBytes: 10 }));
  const id = await world.submit();
  assert.equal(world.job(id).state, 'waiting_for_memory');
  await world.coordinator.cancel(id);
  assert.deepEqual(world.job(id).ended, NEVER_RAN);
  world.assertAllGivenBack();
});

test('while it starts it is still asked for, and cancelled once it runs: an answer may be on its way', async () => {
  const world = await new World().wake();
  const id = await world.submit();
  await world.coordinator.cancel(id);
  await world.coordinator.idle();
  assert.equal(world.job(id).state, 'starting');
  assert.deepEqual(world.work.start, [id]);
  assert.deepEqual(world.work.cancel, []);
  await world.begin(id);
  assert.deepEqual(world.work.cancel, [id]);
});

test('while it starts: refused, it is over', async () => {
  const world = await new World().wake();
  const id = await world.submit();
  await world.coordinator.cancel(id);
  const refusal = { reason: 'no room', final: false, busy: false, retryAfterMs: 1000 };
  await world.tell({ type: 'run_refused', jobId: id, token: world.token(id), ...refusal });
  assert.equal(world.job(id).state, 'cancelled');
  world.assertAllGivenBack();
});

test('while it trains its run is cancelled, and followed until that is confirmed', async () => {
  const world = await new World().wake();
  const id = await world.train();
  await world.coordinator.cancel(id);
  await world.coordinator.idle();
  assert.equal(world.job(id).state, 'training');
  assert.deepEqual([world.work.cancel, world.work.follow], [[id], [id]]);
  await world.hear(id, 1, 'cancelled');
  assert.equal(world.job(id).state, 'cancelled');
  assert.deepEqual(world.job(id).ended, { reason: 'cancelled', modelVersion: null, error: null });
  world.assertAllGivenBack();
});

test('a run that somebody else cancelled at Reactor Core is cancelled here, too', async () => {
  const world = await new World().wake();
  const id = await world.train();
  await world.hear(id, 1, 'cancelled');
  assert.equal(world.job(id).state, 'cancelled');
  world.assertAllGivenBack();
});

test('while it gives way: its checkpoint is confirmed, and it does not come back', async () => {
  const world = await new World().wake();
  const id = await world.train('embedding');
  world.nowMs += 30_000;
  await world.tell(measured());
  await world.submit({ model_type: 'voice' });
  assert.equal(world.job(id).state, 'preempting');
  await world.coordinator.cancel(id);
  await world.coordinator.idle();
  assert.deepEqual([world.work.cancel, world.work.preempt], [[id], [id]]);
  await world.hear(id, 1, 'preempted', { token: world.token(id) });
  assert.equal(world.job(id).state, 'cancelled');
});

test('a job that has ended says how; one that was cancelled already stays so', async () => {
  const world = await new World().wake();
  for (const [event, state] of [
    ['completed', 'completed'],
    ['failed', 'failed'],
  ] as const) {
    const id = await world.train();
    await world.hear(id, 1, event, { model_version: 'v0.1.0', error: 'died' });
    await assert.rejects(world.coordinator.cancel(id), (error) => {
      assert.ok(isCodedError(error, 'already_ended'));
      assert.equal(error.message, `job ${id} is ${state}`);
      return true;
    });
  }
  const id = await world.submit();
  await world.coordinator.cancel(id);
  const before = world.job(id);
  await world.coordinator.cancel(id);
  assert.deepEqual(world.job(id), before);
});

test('a job that never was is not found', async () => {
  const world = new World();
  await assert.rejects(world.coordinator.cancel('nobody'), (error) => {
    assert.ok(isCodedError(error, 'not_found'));
    assert.equal(error.message, 'there is no job nobody');
    return true;
  });
});

test('a cancel that a crash cut in two is finished by the next cycle', async () => {
  const world = new World();
  const id = await world.submit();
  await world.store.requestCancel(id);
  await world.tell({ type: 'look' });
  assert.deepEqual(world.job(id).ended, NEVER_RAN);
});
