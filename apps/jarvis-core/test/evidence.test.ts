// Corrections on their way to the judge of a rollout: kept until they are acknowledged, counted there once.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '@jarvis/testkit';
import type { Client } from './client.ts';
import { makeWorld, spawnCore, startCore, type World } from './world.ts';

function rollOut(world: World, deploymentId = 'deployment-1', pairId: string | null = null): void {
  world.prime.prediction = {
    output: { intent: 'lights_on' },
    confidence: 0.9,
    version: 'v0.2.0',
    arm: 'candidate',
    rollout: {
      deployment_id: deploymentId,
      weight: 0.25,
      session_hash: 'hash-1',
      pair_id: pairId,
      candidate_failed: null,
    },
  };
}

/** A command that was understood wrongly; answers its interaction. */
async function correct(core: Client): Promise<string> {
  const { interaction_id } = await core.ok<{ interaction_id: string }>('POST', '/api/command', {
    text: 'hello',
  });
  const body = { interaction_id, correct: false, expected_output: { intent: 'greet' } };
  await core.ok('POST', '/api/feedback', body);
  await core.ok('POST', '/api/feedback', body);
  return interaction_id;
}

const pending = async (core: Client): Promise<number> => (await core.health()).outbox_pending ?? -1;

test('a correction during a rollout is told to the judge with its arm and weight; outside of one, nothing is', async (t) => {
  const world = await makeWorld(t);
  const core = await startCore(world);
  await correct(core);
  rollOut(world);
  const { interaction_id } = await core.ok<{ interaction_id: string }>('POST', '/api/command', { text: 'x' });
  await core.ok('POST', '/api/feedback', { interaction_id, correct: true });
  const id = await correct(core);
  await until('the outbox to be empty', async () => (await pending(core)) === 0);
  assert.equal(world.reactor.batches.flat().length, 1);
  const [evidence] = world.reactor.heard();
  assert.ok(evidence !== undefined);
  assert.deepEqual(evidence, {
    kind: 'corrected',
    evidence_id: `corrected-${id}`,
    deployment_id: 'deployment-1',
    arm: 'candidate',
    weight: 0.25,
    session_hash: 'hash-1',
    observed_at: evidence.observed_at,
  });
});

test('what is said of an answer that has a pair is told to the judge too, right or wrong, asked for or not', async (t) => {
  const world = await makeWorld(t);
  const core = await startCore(world);
  rollOut(world, 'deployment-1', 'pair-1');
  const wrong = await correct(core);
  rollOut(world, 'deployment-1', 'pair-2');
  const { interaction_id } = await core.ok<{ interaction_id: string }>('POST', '/api/command', { text: 'x' });
  await core.ok('POST', '/api/feedback', { interaction_id, correct: true, asked: true });
  await until('the outbox to be empty', async () => (await pending(core)) === 0);
  const told = world.reactor.heard();
  const fields = { deployment_id: 'deployment-1', arm: 'candidate', weight: 0.25, session_hash: 'hash-1' };
  assert.equal(told.length, 3);
  assert.partialDeepStrictEqual(
    told.toSorted((a, b) => a.evidence_id.localeCompare(b.evidence_id)),
    [
      { ...fields, kind: 'corrected', evidence_id: `corrected-${wrong}` },
      ...[
        { id: wrong, pair_id: 'pair-1', correct: false, expected_output: { intent: 'greet' }, asked: false },
        { id: interaction_id, pair_id: 'pair-2', correct: true, expected_output: null, asked: true },
      ]
        .map(({ id, ...said }) => ({ ...fields, ...said, kind: 'judged', evidence_id: `judged-${id}` }))
        .toSorted((a, b) => a.evidence_id.localeCompare(b.evidence_id)),
    ],
  );
});

test('the judge away, kill -9 in between: the evidence waits, and comes once the judge is back', async (t) => {
  const world = await makeWorld(t);
  rollOut(world);
  world.reactor.judge = 'away';
  const core = await spawnCore(world);
  const ids = [await correct(core), await correct(core), await correct(core)];
  assert.equal(await pending(core), 3);
  await core.kill();
  const again = await startCore(world);
  assert.equal(await pending(again), 3);
  world.reactor.judge = 'hears';
  await until('the outbox to be empty', async () => (await pending(again)) === 0);
  assert.deepEqual(
    world.reactor
      .heard()
      .map((e) => e.evidence_id)
      .sort(),
    ids.map((id) => `corrected-${id}`).sort(),
  );
  assert.equal(world.reactor.batches.length, 1, 'what waits goes in one batch');
});

test('an answer that is lost makes it come again under the same ids', async (t) => {
  const world = await makeWorld(t);
  rollOut(world);
  world.reactor.judge = 'deaf';
  const core = await startCore(world);
  const id = await correct(core);
  await until('it to be sent twice', () => world.reactor.batches.length >= 2);
  world.reactor.judge = 'hears';
  await until('the outbox to be empty', async () => (await pending(core)) === 0);
  assert.deepEqual([...new Set(world.reactor.batches.flat().map((e) => e.evidence_id))], [`corrected-${id}`]);
});

test('evidence that the judge calls invalid does not hold up what stands behind it', async (t) => {
  const world = await makeWorld(t);
  world.reactor.judge = 'away';
  const core = await startCore(world);
  rollOut(world, 'deployment-bad');
  await correct(core);
  rollOut(world, 'deployment-good');
  const ids = [await correct(core), await correct(core)];
  world.reactor.refuses = 'deployment-bad';
  world.reactor.judge = 'hears';
  await until('the outbox to be empty', async () => (await pending(core)) === 0);
  assert.deepEqual(
    world.reactor
      .heard()
      .map((e) => e.evidence_id)
      .sort(),
    ids.map((id) => `corrected-${id}`).sort(),
  );
});
