// JARVIS Core dies and comes back: a new coordinator over the same store goes on where the old one was.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { World } from './world.ts';

async function reborn(world: World): Promise<World> {
  await world.coordinator.stop();
  const next = new World(world.store);
  next.nowMs = world.nowMs;
  await next.tell({ type: 'look' });
  return next;
}

test('a start that was decided is asked for again; nothing new is started before Reactor Core was heard', async () => {
  const before = await new World().wake();
  const id = await before.submit();
  await before.submit({ model_type: 'voice' });
  const after = await reborn(before);
  assert.deepEqual(after.work.start, [id]);
  await after.begin(id);
  assert.deepEqual(after.work.follow, [id]);
});

test('a run that trains is followed from the event after the last that was stored', async () => {
  const before = await new World().wake();
  const id = await before.train();
  await before.hear(id, 1, 'checkpoint');
  const after = await reborn(before);
  assert.deepEqual(
    after.performed.at(-1)?.follow.map((j) => [j.jobId, j.runCursor]),
    [[id, 1]],
  );
  await after.hear(id, 2, 'completed', { model_version: 'v0.1.0' });
  assert.equal(after.job(id).state, 'completed');
});

test('a cancel and a preemption that were decided are carried out', async () => {
  const before = await new World().wake();
  const id = await before.train('embedding');
  before.nowMs += 30_000;
  await before.wake();
  await before.submit({ model_type: 'voice' });
  await before.coordinator.cancel(id);
  const after = await reborn(before);
  assert.deepEqual([after.work.preempt, after.work.cancel], [[id], [id]]);
});

test('no memory is granted on what the one before had measured', async () => {
  const before = await new World().wake();
  const after = await reborn(before);
  await after.tell({ type: 'runs_observed', runs: [] });
  const id = await after.submit();
  assert.equal(after.job(id).state, 'waiting_for_memory');
  await after.wake();
  assert.equal(after.job(id).state, 'starting');
});
