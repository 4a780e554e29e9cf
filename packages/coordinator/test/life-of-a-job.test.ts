// The usual way of a job, from being asked for to its version, and what is asked of the outside at each stage.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryStore } from './memory-store.ts';
import { asked, measured, START_MS, World } from './world.ts';

const NOTHING = { start: [], follow: [], preempt: [], cancel: [], drain: [] };

test('a job goes from the queue to its version, and gives back all that it held', async () => {
  const world = await new World().wake();
  const id = await world.submit();
  assert.equal(world.job(id).state, 'starting');
  assert.deepEqual(world.work, { ...NOTHING, start: [id] });
  await world.begin(id);
  assert.deepEqual(world.work, { ...NOTHING, follow: [id] });
  assert.equal(world.job(id).trainingSinceMs, START_MS);
  await world.hear(id, 1, 'completed', { model_version: 'v0.1.0' });
  assert.equal(world.job(id).state, 'completed');
  assert.deepEqual(world.job(id).ended, {
    reason: 'trained v0.1.0',
    modelVersion: 'v0.1.0',
    error: null,
  });
  world.assertAllGivenBack();
  assert.deepEqual(world.work, NOTHING);
});

test('J-Prime may have its memory back only when no lease is out', async () => {
  const world = await new World().wake();
  assert.equal(world.performed.at(-1)?.restore, true);
  const id = await world.train();
  assert.equal(world.performed.at(-1)?.restore, false);
  await world.hear(id, 1, 'completed', { model_version: 'v0.1.0' });
  assert.equal(world.performed.at(-1)?.restore, true);
});

test('with one slot the second job waits, and is told for whom', async () => {
  const world = await new World().wake();
  await world.train();
  const second = await world.submit({ model_type: 'voice' });
  assert.equal(world.job(second).state, 'queued');
  assert.match(
    world.job(second).reason,
    /^number 1 in the queue; the slot is held by job-1 \(nlu, training\)/,
  );
});

test('with two slots two jobs train at once', async () => {
  const world = await new World(new MemoryStore({ slots: 2 })).wake();
  const [first, second] = [await world.train(), await world.train('voice')];
  assert.deepEqual(world.work.follow, [first, second]);
});

test('a second request for what already waits joins it', async () => {
  const world = new World();
  const first = await world.coordinator.submit(asked());
  assert.deepEqual(await world.coordinator.submit(asked()), { jobId: first.jobId, joined: true });
});

test('a submission with a condition may be left out, and answers null then', async () => {
  const world = new World();
  assert.equal(await world.coordinator.submitIfNew(asked(), 100), null);
  assert.equal(world.store.jobs.size, 0);
});

test('the condition of a submission reaches the store', async () => {
  const world = new World();
  const submitted = await world.coordinator.submitIfNew(asked(), 0);
  assert.equal(submitted?.joined, false);
});

test('a job that never fits stays in the queue and says why; it never holds the slot', async () => {
  const world = await new World().wake();
  const id = await world.submit({ need: { ram_bytes: 11, vram_bytes: {} } });
  assert.equal(world.job(id).state, 'queued');
  assert.match(world.job(id).reason, /at most .* can ever be given/);
  world.assertAllGivenBack();
});

test('a sentence is stored when it has changed, and not again', async () => {
  const world = await new World().wake();
  await world.train();
  const waits = await world.submit({ model_type: 'voice' });
  const explained = (): number => world.store.calls.filter((c) => c.startsWith('explain ')).length;
  const before = explained();
  assert.ok(before > 0);
  await world.tell({ type: 'look' }, measured());
  await world.tell({ type: 'look' });
  assert.equal(explained(), before);
  assert.match(world.job(waits).reason, /number 1 in the queue/);
});

test('a sentence that has changed is stored for that job only', async () => {
  const world = await new World().wake();
  const trains = await world.train();
  const voice = await world.submit({ model_type: 'voice' });
  const vision = await world.submit({ model_type: 'vision' });
  const before = world.store.calls.length;
  await world.hear(trains, 1, 'completed', { model_version: 'v0.1.0' });
  assert.equal(world.job(voice).state, 'starting');
  assert.match(world.job(vision).reason, /the slot is held by job-2 \(voice, starting\)/);
  const told = world.store.calls.slice(before).filter((c) => c.startsWith('explain '));
  assert.deepEqual(told, [`explain ${vision}`]);
});
