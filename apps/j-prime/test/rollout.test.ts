// Sessions between two versions, and what the judge of a rollout hears.
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Arm } from '@jarvis/contracts';
import { fixtureModel, TRIP_WORD } from './fixture-models.ts';
import { type Client, makeWorld, type RunningPrime, startPrime, until, type World } from './harness.ts';

const v1 = fixtureModel({ version: 'v0.1.0', intent: 'one' });
const v2 = fixtureModel({ version: 'v0.2.0', intent: 'two' });
const SESSIONS = 2_000;
const CALLS_AT_A_TIME = 32;

async function startRollout(candidate = v2, weight = 1): Promise<World & { prime: RunningPrime }> {
  const world = await makeWorld();
  const prime = await startPrime(world);
  world.reactor.route(v1, { model: candidate, weight });
  await prime.serves('v0.1.0');
  return { ...world, prime };
}

async function armsOf(prime: Client, sessions: readonly string[]): Promise<Map<string, Arm>> {
  const arms = new Map<string, Arm>();
  const left = [...sessions];
  const worker = async (): Promise<void> => {
    for (let session = left.pop(); session !== undefined; session = left.pop()) {
      const { arm, version, rollout } = await prime.predict('hello', session);
      assert.equal(version, arm === 'candidate' ? 'v0.2.0' : 'v0.1.0');
      assert.equal(rollout?.deployment_id, 'deployment-1');
      arms.set(session, arm);
    }
  };
  await Promise.all(Array.from({ length: CALLS_AT_A_TIME }, worker));
  return arms;
}

test('sessions keep their version, and a rising weight only moves them toward the candidate (I6)', async () => {
  const { reactor, prime } = await startRollout(v2, 0.25);
  await prime.waitForState('v0.2.0', 'ready');
  const sessions = Array.from({ length: SESSIONS }, (_, i) => `session-${i}`);
  const atQuarter = await armsOf(prime, sessions);
  assert.deepEqual(await armsOf(prime, sessions), atQuarter);
  const share = [...atQuarter.values()].filter((arm) => arm === 'candidate').length / SESSIONS;
  assert.ok(Math.abs(share - 0.25) < 0.05, `share ${share}`);

  reactor.route(v1, { model: v2, weight: 0.5, step: 1 });
  await until('the weight to rise', async () => (await prime.predict('x', 's')).rollout?.weight === 0.5);
  const atHalf = await armsOf(prime, sessions);
  for (const [session, arm] of atQuarter)
    if (arm === 'candidate') assert.equal(atHalf.get(session), 'candidate', session);
  assert.ok([...atHalf.values()].filter((arm) => arm === 'candidate').length > share * SESSIONS);
});

test('requests are counted by arm and step, and the judge hears each once', async () => {
  const { reactor, prime } = await startRollout(v2, 0.5);
  await prime.waitForState('v0.2.0', 'ready');
  const arms = await armsOf(
    prime,
    Array.from({ length: 200 }, (_, i) => `s${i}`),
  );
  const wanted = [...arms.values()].filter((arm) => arm === 'candidate').length;
  await until('all requests to be heard of', () => reactor.countRequests('candidate') === wanted);
  await until('the others too', () => reactor.countRequests('stable') === 200 - wanted);
  await until('the outbox to be empty', async () => (await prime.health()).outbox_pending === 0);
  const counted = reactor.heard().filter((e) => e.kind === 'requests');
  assert.ok(counted.every((e) => e.step === 0));
});

test('a request that the candidate fails is answered by stable, and the judge hears of the failure', async () => {
  const failing = fixtureModel({ version: 'v0.2.0', intent: 'two', failsOnTrip: true });
  const { reactor, prime } = await startRollout(failing);
  await prime.waitForState('v0.2.0', 'ready');
  await until('the candidate', async () => (await prime.predict('hello')).arm === 'candidate');
  const answer = await prime.predict(TRIP_WORD, 'session-1');
  assert.equal(answer.version, 'v0.1.0');
  assert.deepEqual(answer.output, { intent: 'one' });
  assert.equal(answer.arm, 'stable');
  assert.equal(answer.rollout?.candidate_failed, 'v0.2.0');
  await until('the failure to be heard of', () => reactor.heard().some((e) => e.kind === 'failed'));
  const failures = reactor.heard().filter((e) => e.kind === 'failed');
  assert.equal(failures.length, 1);
  assert.equal(failures[0]?.arm, 'candidate');
  assert.equal(failures[0]?.session_hash, answer.rollout?.session_hash);
  assert.equal(failures[0]?.weight, 1);
  const firstBatch = reactor.batches.find((batch) => batch.some((e) => e.kind === 'failed')) ?? [];
  const counted = reactor.countRequests('candidate');
  assert.ok(counted >= 2, `the failed request counts as one of ${counted}`);
  assert.ok(firstBatch.length > 0);
  const models = (await prime.resources()).models.filter((m) => m.role === 'candidate');
  assert.equal(models[0]?.failures, 1);
});

test('a failure of stable is told as it is', async () => {
  const world = await makeWorld();
  const prime = await startPrime(world);
  world.reactor.route(fixtureModel({ version: 'v0.1.0', intent: 'one', failsOnTrip: true }));
  await prime.serves('v0.1.0');
  const problem = await prime.problem('/api/predict/nlu', { input: { text: TRIP_WORD } });
  assert.equal(problem.code, 'model_unavailable');
  assert.equal((await prime.predict('hello')).version, 'v0.1.0');
});

test('a candidate that cannot be loaded is broken: its sessions get stable, and the judge hears of it once', async () => {
  const garbage = fixtureModel({ version: 'v0.2.0', intent: 'two', graphIsGarbage: true });
  const world = await startRollout(garbage);
  const { reactor, prime } = world;
  await prime.waitForState('v0.2.0', 'broken');
  const answer = await prime.predict('hello', 'session-1');
  assert.equal(answer.version, 'v0.1.0');
  assert.equal(answer.arm, 'stable');
  assert.equal(answer.rollout?.weight, 0, 'who was not drawn by chance counts for nothing');
  await until('the judge to hear', () => reactor.heard().some((e) => e.kind === 'broken'));
  reactor.route(v1, { model: garbage, weight: 1, step: 1 });
  await until('the next step', async () => (await prime.health()).outbox_pending === 0);
  reactor.route(v1, { model: garbage, weight: 1, deploymentId: 'deployment-2' });
  await until('the next deployment', () => reactor.heard().some((e) => e.deployment_id === 'deployment-2'));
  await prime.stop();
  const again = await startPrime(world);
  await again.waitForState('v0.2.0', 'broken');
  await until('the outbox to be empty', async () => (await again.health()).outbox_pending === 0);
  assert.deepEqual(
    reactor
      .heard()
      .map((e) => `${e.kind} ${e.arm} ${e.deployment_id}`)
      .toSorted(),
    ['broken candidate deployment-1', 'broken candidate deployment-2'],
  );
});

for (const which of ['manifest', 'graph'] as const)
  test(`a ${which} that is not what its digest says is refused`, async () => {
    const world = await makeWorld();
    const spoilt = [...v2.blobs.keys()].find(
      (s) => !v1.blobs.has(s) && (s === v2.digest) === (which === 'manifest'),
    );
    assert.ok(spoilt !== undefined);
    world.reactor.route(v1, { model: v2, weight: 1 });
    const wrong = Buffer.from(v2.blobs.get(spoilt) ?? '');
    wrong[wrong.length - 1] = (wrong.at(-1) ?? 0) ^ 1;
    world.reactor.blobs.set(spoilt, wrong);
    const prime = await startPrime(world);
    await prime.waitForState('v0.2.0', 'broken');
    await prime.serves('v0.1.0');
    assert.equal((await prime.predict('hello', 's')).version, 'v0.1.0');
    await until('the judge to hear', () => world.reactor.heard().some((e) => e.kind === 'broken'));
    assert.match(JSON.stringify(world.reactor.heard()), /SHA-256/);
    assert.deepEqual(await readdir(join(world.folder, 'j-prime', 'artifacts')), [v1.digest]);
  });

test('without a session each request is one of its own', async () => {
  const { prime } = await startRollout(v2, 0.5);
  await prime.waitForState('v0.2.0', 'ready');
  const seen = new Set<string>();
  await until('both versions', async () => seen.add((await prime.predict('hello')).version).size === 2);
});

test('bad input is no failure of the model', async () => {
  const { reactor, prime } = await startRollout();
  await prime.waitForState('v0.2.0', 'ready');
  const bodies: [string, unknown, string][] = [
    ['/api/predict/nlu', {}, 'invalid_request'],
    ['/api/predict/nlu', { input: 'hello' }, 'invalid_request'],
    ['/api/predict/nlu', { input: {} }, 'invalid_request'],
    ['/api/predict/nlu', { input: { text: '' } }, 'invalid_request'],
    ['/api/predict/nlu', { input: { text: 7 } }, 'invalid_request'],
    ['/api/predict/nlu', { input: { text: 'x'.repeat(1_000_000) } }, 'invalid_request'],
    ['/api/predict/nlu', { input: { text: 'x' }, session_id: '' }, 'invalid_request'],
    ['/api/predict/nlu', { input: { text: 'x' }, session_id: 'x'.repeat(300) }, 'invalid_request'],
    ['/api/predict/telepathy', { input: { text: 'x' } }, 'invalid_request'],
    ['/api/predict/voice', { input: {} }, 'no_version'],
    ['/api/predict', { input: {} }, 'not_found'],
  ];
  for (const [path, body, code] of bodies)
    assert.equal(
      (await prime.problem(path, body)).code,
      code,
      `${path} ${JSON.stringify(body).slice(0, 60)}`,
    );
  await prime.predict('hello', 'session-1');
  await until('the one good request', () => reactor.countRequests('candidate') === 1);
  assert.ok(reactor.heard().every((e) => e.kind !== 'failed' && e.kind !== 'broken'));
  assert.equal(
    (await prime.resources()).models.reduce((n, m) => n + m.failures, 0),
    0,
  );
});
