// Routes are followed, models loaded, requests answered.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fixtureModel } from './fixture-models.ts';
import { makeWorld, startPrime } from './harness.ts';

const v1 = fixtureModel({ version: 'v0.1.0', intent: 'one' });

test('a routed version is fetched, loaded and answers', async () => {
  const world = await makeWorld();
  const prime = await startPrime(world);
  const early = await prime.problem('/api/predict/nlu', { input: { text: 'hello' } });
  assert.equal(early.code, 'no_version');
  assert.equal(early.retry_after_seconds, 1);
  world.reactor.route(v1);
  await prime.serves('v0.1.0');
  const answer = await prime.predict('hello', 'session-1');
  assert.deepEqual(answer.output, { intent: 'one' });
  assert.equal(answer.version, 'v0.1.0');
  assert.equal(answer.arm, 'stable');
  assert.equal(answer.rollout, null);
  assert.ok(answer.confidence > 0.9);
});
