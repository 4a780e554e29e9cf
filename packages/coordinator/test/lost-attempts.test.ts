// A trainer that died: the job goes on from its newest checkpoint, as often as the rules allow.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { World } from './world.ts';

/** The trainer dies; then time passes until the job may be tried again. */
async function lose(world: World, id: string, seq: number): Promise<void> {
  await world.hear(id, seq, 'status', { status: 'lost', token: world.token(id) });
  world.nowMs = world.job(id).notBeforeMs ?? world.nowMs;
  await world.wake();
}

test('each attempt waits longer, takes a new token, and the last one that is allowed is the last', async () => {
  const world = await new World().wake();
  const id = await world.train();
  const tokens = [world.token(id)];
  for (const attempt of [1, 2]) {
    const lostAtMs = world.nowMs;
    await lose(world, id, attempt);
    assert.equal(world.nowMs, lostAtMs + attempt * 5_000);
    await world.begin(id);
    assert.equal(world.job(id).attempt, attempt + 1);
    tokens.push(world.token(id));
  }
  assert.deepEqual(
    tokens,
    tokens.toSorted((a, b) => a - b),
  );
  assert.equal(new Set(tokens).size, 3);
  await lose(world, id, 3);
  const why = 'the trainer died in each of 3 attempts';
  assert.equal(world.job(id).state, 'failed');
  assert.deepEqual(world.job(id).ended, { reason: why, modelVersion: null, error: why });
  world.assertAllGivenBack();
});

test('while it waits for its next attempt it says so, and holds nothing', async () => {
  const reasons: string[] = [];
  const world = await new World().wake();
  const requeue = world.store.requeue.bind(world.store);
  world.store.requeue = (jobId, retry) => {
    reasons.push(retry.reason);
    return requeue(jobId, retry);
  };
  const id = await world.train();
  await world.hear(id, 1, 'status', { status: 'lost', token: world.token(id) });
  assert.deepEqual(reasons, ['the trainer died in attempt 1; it resumes from its newest checkpoint']);
  assert.match(world.job(id).reason, /^it is tried again at /);
  assert.deepEqual([world.job(id).attempt, world.job(id).runCursor], [1, 1]);
  world.assertAllGivenBack();
});

test('with AUTO_RESUME_FAILED_TRAINING off the first death is the end', async () => {
  const rules = { resume: false, limit: 2, delayMs: () => 0 };
  const world = await new World(undefined, { retries: rules }).wake();
  const id = await world.train();
  await world.hear(id, 1, 'status', { status: 'lost', token: world.token(id) });
  const why = 'the trainer died, and AUTO_RESUME_FAILED_TRAINING is off';
  assert.deepEqual(world.job(id).ended, { reason: why, modelVersion: null, error: why });
  assert.equal(world.job(id).state, 'failed');
});
