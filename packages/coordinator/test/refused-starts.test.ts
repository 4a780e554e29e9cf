// What Reactor Core's refusal to start a run means for the job, and for those behind it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CoordinatorEvent } from '../src/index.ts';
import { MemoryStore } from './memory-store.ts';
import { START_MS, World } from './world.ts';

const refusal = (world: World, jobId: string, over: object = {}) =>
  ({
    type: 'run_refused',
    jobId,
    token: world.token(jobId),
    reason: 'its disk is full',
    final: false,
    busy: false,
    retryAfterMs: 5_000,
    ...over,
  }) as const;

test('for good: the job has failed, for that reason', async () => {
  const world = await new World().wake();
  const id = await world.submit();
  await world.tell(refusal(world, id, { final: true, reason: 'there is nothing to learn from' }));
  assert.equal(world.job(id).state, 'failed');
  const why = 'there is nothing to learn from';
  assert.deepEqual(world.job(id).ended, { reason: why, modelVersion: null, error: why });
  world.assertAllGivenBack();
});

test('for now: the job waits as long as was asked for, spends no attempt, and the next one takes its turn', async () => {
  const world = await new World().wake();
  const id = await world.submit();
  await world.submit({ model_type: 'vision' });
  await world.tell(refusal(world, id));
  const refused = world.job(id);
  assert.deepEqual([refused.state, refused.attempt, refused.notBeforeMs], ['queued', 0, START_MS + 5_000]);
  assert.match(refused.reason, /tried again at /);
  assert.deepEqual(world.work.start, ['job-2']);
});

test('busy: nothing at all is started until Reactor Core is asked again', async () => {
  const world = await new World().wake();
  const id = await world.submit();
  const next = await world.submit({ model_type: 'vision' });
  await world.tell(refusal(world, id, { busy: true }));
  assert.equal(world.job(id).notBeforeMs, START_MS + 5_000);
  assert.deepEqual(world.work.start, []);
  assert.match(world.job(next).reason, /Reactor Core can start nothing now \(its disk is full\)/);
  world.nowMs += 5_000;
  await world.tell({ type: 'look' });
  assert.deepEqual(world.work.start, [id]);
});

test('busy again and again: twice as long each time; a start that is accepted forgets it', async () => {
  const world = await new World().wake();
  const id = await world.submit();
  await world.tell(refusal(world, id, { busy: true }));
  world.nowMs += 5_000;
  await world.tell({ type: 'look' });
  await world.tell(refusal(world, id, { busy: true }));
  assert.equal(world.job(id).notBeforeMs, world.nowMs + 10_000);
  world.nowMs += 10_000;
  await world.tell({ type: 'look' });
  await world.begin(id);
  await world.hear(id, 1, 'completed', { model_version: 'v0.1.0' });
  const next = await world.submit();
  await world.tell(refusal(world, next, { busy: true }));
  assert.equal(world.job(next).notBeforeMs, world.nowMs + 5_000);
});

test('a refusal under an older token, or of a job that runs by now, is history', async () => {
  const world = await new World().wake();
  const id = await world.submit();
  await world.tell(refusal(world, id, { token: world.token(id) - 1, final: true }));
  assert.equal(world.job(id).state, 'starting');
  await world.begin(id);
  await world.tell(refusal(world, id, { final: true }));
  assert.equal(world.job(id).state, 'training');
  await world.tell({ ...refusal(world, id, { final: true }), jobId: 'nobody' });
  assert.deepEqual(world.errors, []);
});

test('with two slots, whose tokens may be alike, only the job that was named goes back', async () => {
  const world = await new World(new MemoryStore({ slots: 2 })).wake();
  const first = await world.submit();
  const second = await world.submit({ model_type: 'vision' });
  assert.equal(world.token(first), world.token(second));
  await world.tell(refusal(world, second, { final: true }));
  assert.deepEqual([world.job(first).state, world.job(second).state], ['starting', 'failed']);
});

test('an acceptance under an older token starts nothing', async () => {
  const world = await new World().wake();
  const id = await world.submit();
  await world.tell({ type: 'run_started', jobId: id, token: world.token(id) - 1 });
  assert.equal(world.job(id).state, 'starting');
  assert.deepEqual(world.work.start, [id]);
});

/** What is started and followed in each round when this comes in while the first one is being decided. */
async function meanwhile(world: World, event: CoordinatorEvent): Promise<readonly number[][]> {
  let told = false;
  const { store } = world;
  const load = store.load.bind(store);
  store.load = () => {
    if (!told) world.coordinator.post(event);
    told = true;
    return load();
  };
  const before = world.performed.length;
  await world.tell({ type: 'look' });
  return world.performed.slice(before).map((w) => [w.start.length, w.follow.length]);
}

test('an acceptance that is still unread keeps the start from being asked for again', async () => {
  const world = await new World().wake();
  const jobId = await world.submit();
  const accepted = { type: 'run_started', jobId, token: world.token(jobId) } as const;
  assert.deepEqual(await meanwhile(world, accepted), [
    [0, 0],
    [0, 1],
  ]);
});

test('a cancel that is still unread does not: no answer to the start has come', async () => {
  const world = await new World().wake();
  const jobId = await world.submit();
  assert.deepEqual(await meanwhile(world, { type: 'cancel', jobId }), [
    [1, 0],
    [1, 0],
  ]);
});
