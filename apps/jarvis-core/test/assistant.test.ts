// The assistant's two calls: a command is understood by J-Prime; feedback on it counts once, and never twice differently.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ExperienceStats } from '@jarvis/contracts';
import { makeWorld, startCore } from './world.ts';
import type { Client } from './client.ts';

interface Understood {
  readonly interaction_id: string;
  readonly intent: string;
  readonly version: string;
}
const say = (core: Client, text = 'lights on please', session?: string): Promise<Understood> =>
  core.ok('POST', '/api/command', { text, ...(session === undefined ? {} : { session_id: session }) });
const stats = (core: Client): Promise<ExperienceStats> => core.ok('GET', '/api/experiences/stats');

test('a command is answered as J-Prime understood it, for the session that it names or for itself', async (t) => {
  const world = await makeWorld(t);
  const core = await startCore(world);
  const named = await say(core, 'lights on please', 'session-1');
  assert.deepEqual(named, {
    interaction_id: named.interaction_id,
    intent: 'lights_on',
    confidence: 0.9,
    version: 'v0.1.0',
    arm: 'stable',
  });
  const alone = await say(core);
  assert.deepEqual(world.prime.asked, [
    { input: { text: 'lights on please' }, session_id: 'session-1' },
    { input: { text: 'lights on please' }, session_id: alone.interaction_id },
  ]);
});

test('J-Prime away, without a version, answering nonsense, or switched off: a coded 503 that says which', async (t) => {
  const world = await makeWorld(t);
  const core = await startCore(world);
  const said = await say(core);
  world.prime.prediction = null;
  await core.refused('no_version', 'POST', '/api/command', { text: 'hello' });
  world.prime.prediction = { output: {}, confidence: 1, version: 'v0.1.0', arm: 'stable', rollout: null };
  const nonsense = await core.refused('service_unavailable', 'POST', '/api/command', { text: 'hello' });
  assert.match(nonsense.detail, /without an intent/);
  await world.prime.stop();
  const away = await core.refused('service_unavailable', 'POST', '/api/command', { text: 'hello' });
  assert.equal(away.status, 503);
  assert.match(away.detail, /J-Prime does not answer/);
  await core.stop();
  const without = await startCore(world, { JARVIS_PRIME_ENABLED: 'false' });
  const off = await without.refused('service_unavailable', 'POST', '/api/command', { text: 'hello' });
  assert.match(off.detail, /JARVIS_PRIME_ENABLED/);
  await without.ok('POST', '/api/feedback', { interaction_id: said.interaction_id, correct: true });
});

test('an input that a candidate failed becomes an experience once, labelled by who answered in its place', async (t) => {
  const world = await makeWorld(t);
  const core = await startCore(world);
  const rollout = { deployment_id: 'deployment-1', weight: 0.5, session_hash: 'h', pair_id: null };
  const answer = {
    output: { intent: 'lights_on' },
    confidence: 0.9,
    version: 'v0.1.0',
    arm: 'stable' as const,
  };
  world.prime.prediction = { ...answer, rollout: { ...rollout, candidate_failed: 'v0.2.0' } };
  await say(core);
  await say(core);
  world.prime.prediction = { ...answer, rollout: { ...rollout, candidate_failed: null } };
  await say(core, 'another');
  const { total, by_source, by_kind } = await stats(core);
  assert.deepEqual([total, by_source], [1, { rollout: 1 }]);
  assert.equal(by_kind['nlu']?.trainable, 1);
});

test('what does not fit is refused by name before J-Prime is asked', async (t) => {
  const world = await makeWorld(t);
  const core = await startCore(world);
  const wrong: [string, unknown, string][] = [
    ['/api/command', {}, 'body.text'],
    ['/api/command', { text: '' }, 'body.text'],
    ['/api/command', { text: 'x'.repeat(4097) }, 'body.text'],
    ['/api/command', { text: 'x', session_id: 7 }, 'body.session_id'],
    ['/api/command', { text: 'x', sesion_id: 's' }, 'body'],
    ['/api/feedback', { correct: true }, 'body.interaction_id'],
    ['/api/feedback', { interaction_id: 'i', correct: 'yes' }, 'body.correct'],
    [
      '/api/feedback',
      { interaction_id: 'i', correct: false, expected_output: {} },
      'body.expected_output.intent',
    ],
  ];
  for (const [path, body, where] of wrong) {
    const problem = await core.refused('invalid_request', 'POST', path, body);
    assert.deepEqual(
      problem.issues?.map((i) => i.path),
      [where],
    );
  }
  assert.equal(world.prime.asked.length, 0);
});

test('feedback becomes one experience, however often it is sent; a contradiction is refused and changes nothing', async (t) => {
  const core = await startCore(await makeWorld(t));
  const { interaction_id } = await say(core);
  const corrected = { interaction_id, correct: false, expected_output: { intent: 'lights_off' } };
  const first = await core.ok('POST', '/api/feedback', corrected);
  assert.deepEqual(first, { interaction_id, stored: true, repeated: false });
  const again = await Promise.all(
    Array.from({ length: 4 }, () => core.ok('POST', '/api/feedback', corrected)),
  );
  for (const answer of again) assert.deepEqual(answer, { interaction_id, stored: true, repeated: true });
  for (const other of [
    { interaction_id, correct: true },
    { interaction_id, correct: false, expected_output: { intent: 'music' } },
  ])
    await core.refused('feedback_conflict', 'POST', '/api/feedback', other);
  const { total, by_kind, by_source } = await stats(core);
  assert.deepEqual({ total, by_source }, { total: 1, by_source: { feedback: 1 } });
  assert.deepEqual(by_kind['nlu'], { total: 1, trainable: 1, new_since_training: 1 });
});

test('correct: the answer is the label; wrong without a label: kept, but nothing can be learned from it', async (t) => {
  const core = await startCore(await makeWorld(t));
  await core.ok('POST', '/api/feedback', { interaction_id: (await say(core)).interaction_id, correct: true });
  await core.ok('POST', '/api/feedback', {
    interaction_id: (await say(core)).interaction_id,
    correct: false,
  });
  assert.deepEqual((await stats(core)).by_kind['nlu'], { total: 2, trainable: 1, new_since_training: 1 });
});

test('feedback on what nobody said, and feedback that contradicts itself, are refused; the latter may be mended', async (t) => {
  const core = await startCore(await makeWorld(t));
  await core.refused('not_found', 'POST', '/api/feedback', {
    interaction_id: 'interaction-0',
    correct: true,
  });
  const { interaction_id } = await say(core);
  const odd = { interaction_id, correct: true, expected_output: { intent: 'lights_off' } };
  const problem = await core.refused('invalid_request', 'POST', '/api/feedback', odd);
  assert.equal(problem.issues?.[0]?.path, 'body.expected_output.intent');
  assert.equal((await stats(core)).total, 0);
  await core.ok('POST', '/api/feedback', { ...odd, correct: false });
  assert.equal((await stats(core)).total, 1);
});
