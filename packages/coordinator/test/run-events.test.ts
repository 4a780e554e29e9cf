// What is heard of a run, in order, out of order and twice.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryStore } from './memory-store.ts';
import { START_MS, World } from './world.ts';

const RUNNING = { status: 'running', epoch: 3, total_epochs: 10, loss: 0.5, accuracy: 0.8 };

test('progress is kept as it was told; figures that are not there stay unknown', async () => {
  const world = await new World().wake();
  const id = await world.train();
  await world.hear(id, 1, 'status', RUNNING);
  assert.deepEqual(world.job(id).progress, { epoch: 3, totalEpochs: 10, loss: 0.5, accuracy: 0.8 });
  await world.hear(id, 2, 'status', { ...RUNNING, epoch: 4, loss: null, accuracy: 'none' });
  assert.deepEqual(world.job(id).progress, { epoch: 4, totalEpochs: 10, loss: null, accuracy: null });
  assert.deepEqual([world.job(id).state, world.job(id).runCursor], ['training', 2]);
  assert.deepEqual(world.work.follow, [id], 'its reader reads on');
});

test('a checkpoint, an accepted run, and words of a newer Reactor Core change nothing but the place in the stream', async () => {
  const world = await new World().wake();
  const id = await world.train();
  const before = world.job(id);
  await world.hear(id, 1, 'status', { status: 'accepted' });
  await world.hear(id, 2, 'checkpoint', { epoch: 1 });
  await world.hear(id, 3, 'sang_a_song', {});
  assert.deepEqual(world.job(id), { ...before, runCursor: 3 });
});

test('an event that was taken in already is not taken in again', async () => {
  const world = await new World().wake();
  const id = await world.train();
  await world.hear(id, 1, 'status', RUNNING);
  await world.hear(id, 1, 'failed', { error: 'told twice' });
  assert.equal(world.job(id).state, 'training');
  assert.deepEqual(world.work.follow, [id], 'its reader is where the store is');
});

test('an event behind a gap is not taken in, and its reader begins anew', async () => {
  const world = await new World().wake();
  const id = await world.train();
  await world.hear(id, 2, 'failed', { error: 'too early' });
  assert.deepEqual([world.job(id).state, world.job(id).runCursor], ['training', 0]);
  assert.deepEqual(world.work.follow, [], 'the reader that is ahead is ended');
  await world.tell({ type: 'look' });
  assert.deepEqual(world.work.follow, [id]);
  await world.hear(id, 1, 'checkpoint');
  await world.hear(id, 2, 'failed', { error: 'now' });
  assert.equal(world.job(id).state, 'failed');
});

test('only the reader that is ahead is ended, not that of another run', async () => {
  const world = await new World(new MemoryStore({ slots: 2 })).wake();
  const first = await world.train();
  const second = await world.train('voice');
  await world.hear(first, 2, 'checkpoint');
  assert.deepEqual(world.work.follow, [second]);
});

test('what is heard of a job that is over, or of another queue, harms nobody', async () => {
  const world = await new World().wake();
  const id = await world.train();
  await world.hear(id, 1, 'completed', { model_version: 'v0.1.0' });
  const before = world.job(id);
  await world.hear(id, 2, 'failed', { error: 'late' });
  await world.hear('nobody', 1, 'failed', { error: 'whose?' });
  assert.deepEqual(world.job(id), before);
  assert.deepEqual(world.errors, []);
});

test('a failure ends the job with what the trainer said', async () => {
  const world = await new World().wake();
  const id = await world.train();
  await world.hear(id, 1, 'failed', { error: 'loss is not a number' });
  const why = 'loss is not a number';
  assert.deepEqual(world.job(id).ended, { reason: why, modelVersion: null, error: why });
  world.assertAllGivenBack();
});

test('what a stream tells of another attempt is history: neither lost nor preempted ends this one', async () => {
  const world = await new World().wake();
  const id = await world.train();
  const other = world.token(id) + 1;
  await world.hear(id, 1, 'status', { status: 'lost', token: other });
  await world.hear(id, 2, 'preempted', { token: other });
  assert.deepEqual([world.job(id).state, world.job(id).runCursor], ['training', 2]);
});

test('a Reactor Core that tells no token is believed', async () => {
  const world = await new World().wake();
  const id = await world.train();
  await world.hear(id, 1, 'status', { status: 'lost' });
  assert.equal(world.job(id).attempt, 1);
  assert.equal(world.job(id).state, 'queued');
  assert.equal(world.job(id).notBeforeMs, START_MS + 5_000);
});
