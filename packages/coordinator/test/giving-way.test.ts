// A training that gives way to a higher class, and comes back by itself.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { measured, World } from './world.ts';

async function lowTraining(): Promise<{ world: World; low: string }> {
  const world = await new World().wake();
  const low = await world.train('embedding');
  world.nowMs += 30_000;
  await world.tell(measured());
  return { world, low };
}

test('it is asked for a checkpoint, the higher one trains, then it goes on without having spent an attempt', async () => {
  const { world, low } = await lowTraining();
  const high = await world.submit({ model_type: 'voice' });
  assert.equal(world.job(low).state, 'preempting');
  assert.deepEqual(world.job(low).preemptedAtMs, [world.nowMs]);
  assert.match(world.job(low).reason, /voice job job-2 is critical and waits/);
  assert.deepEqual([world.work.preempt, world.work.follow, world.work.start], [[low], [low], []]);
  await world.hear(low, 1, 'preempted', { token: world.token(low) });
  assert.deepEqual(
    [world.job(low).state, world.job(low).attempt, world.job(low).runCursor],
    ['queued', 0, 1],
  );
  assert.equal(world.job(low).notBeforeMs, world.nowMs, 'nothing but the other keeps it');
  await world.begin(high);
  await world.hear(high, 1, 'completed', { model_version: 'v0.1.0' });
  assert.deepEqual(world.work.start, [low]);
});

test('its sentence says what becomes of it', async () => {
  const { world, low } = await lowTraining();
  const reasons: string[] = [];
  const requeue = world.store.requeue.bind(world.store);
  world.store.requeue = (jobId, retry) => {
    reasons.push(retry.reason);
    return requeue(jobId, retry);
  };
  await world.submit({ model_type: 'voice' });
  await world.hear(low, 1, 'preempted', { token: world.token(low) });
  assert.deepEqual(reasons, ['stopped at a checkpoint; goes on from there']);
});

test('one that completes in the very moment in which it should give way has completed', async () => {
  const { world, low } = await lowTraining();
  const high = await world.submit({ model_type: 'voice' });
  await world.hear(low, 1, 'completed', { model_version: 'v0.1.0' });
  assert.equal(world.job(low).state, 'completed');
  assert.equal(world.job(high).state, 'starting');
});

test('a job that waits for memory gives its slot to a higher class at once', async () => {
  const world = await new World().wake();
  await world.tell(measured({ othersBytes: 10 }));
  const low = await world.submit({ model_type: 'embedding' });
  assert.equal(world.job(low).state, 'waiting_for_memory');
  const high = await world.submit({ model_type: 'voice' });
  assert.deepEqual([world.job(low).state, world.job(high).state], ['queued', 'waiting_for_memory']);
  assert.equal(world.job(low).attempt, 0);
});

test('a job that waited for memory in vain goes back, and then pauses', async () => {
  const world = await new World().wake();
  await world.tell(measured({ othersBytes: 10 }));
  const id = await world.submit();
  world.nowMs += 300_000;
  await world.tell(measured({ othersBytes: 10 }));
  assert.deepEqual([world.job(id).state, world.job(id).notBeforeMs], ['queued', world.nowMs + 30_000]);
  world.assertAllGivenBack();
});
