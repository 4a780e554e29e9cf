// Answers in the shadow of a rollout: behind the client's answer the other version is asked the same.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Evidence } from '@jarvis/contracts';
import { systemClock } from '@jarvis/runtime';
import { Latencies } from '../src/routing/latencies.ts';
import type { Trial } from '../src/models/fleet.ts';
import { ServedVersion } from '../src/models/served-version.ts';
import { fixtureModel, TRIP_WORD } from './fixture-models.ts';
import { makeWorld, type RunningPrime, startPrime, until, type World } from './harness.ts';

const v1 = fixtureModel({ version: 'v0.1.0', intent: 'one' });
const v2 = fixtureModel({ version: 'v0.2.0', intent: 'two' });
const REQUESTS = 40;

type Shadowed = Extract<Evidence, { kind: 'shadowed' }>;
type Differed = Extract<Evidence, { kind: 'differed' }>;

interface Rollout extends World {
  readonly prime: RunningPrime;
  readonly shadowed: () => Shadowed[];
  readonly differed: () => Differed[];
}

async function startRollout(
  weight: number,
  of: { candidate?: typeof v2; share?: string } = {},
): Promise<Rollout> {
  const { candidate = v2, share = '1' } = of;
  const made = await makeWorld();
  const world = { ...made, environment: { ...made.environment, ROLLOUT_SHADOW_SHARE: share } };
  const prime = await startPrime(world);
  world.reactor.route(v1, { model: candidate, weight });
  await prime.serves('v0.1.0');
  await prime.waitForState('v0.2.0', 'ready');
  // Ready, and routed to: who is drawn by chance from now on meets it.
  await until('the trial', async () => (await prime.predict('warm', 'w')).rollout?.weight === weight);
  const heardAs = (kind: string): Evidence[] => world.reactor.heard().filter((e) => e.kind === kind);
  return {
    ...world,
    prime,
    shadowed: () => heardAs('shadowed') as Shadowed[],
    differed: () => heardAs('differed') as Differed[],
  };
}

const sum = (counts: readonly number[]): number => counts.reduce((a, b) => a + b, 0);

test('each request is answered by one arm and asked of the other; where they differ the judge hears both answers', async () => {
  const { prime, shadowed, differed } = await startRollout(0.5);
  const pairs = new Map<string, string>();
  for (let i = 0; i < REQUESTS; i += 1) {
    const { arm, output, rollout } = await prime.predict('hello', `s${i}`);
    assert.deepEqual(output, { intent: arm === 'candidate' ? 'two' : 'one' });
    assert.ok(rollout?.pair_id !== null && rollout?.pair_id !== undefined);
    pairs.set(rollout.pair_id, arm);
  }
  const heardOf = (): string[] =>
    differed()
      .map((e) => e.pair_id)
      .filter((id) => pairs.has(id));
  await until('the pairs to be heard of', () => heardOf().length === REQUESTS);
  for (const pair of differed()) {
    assert.deepEqual([pair.stable_output, pair.candidate_output], [{ intent: 'one' }, { intent: 'two' }]);
    if (pairs.has(pair.pair_id)) assert.equal(pair.arm, pairs.get(pair.pair_id), 'it says who served');
  }
  await until('the counts to be heard of', () => sum(shadowed().map((e) => e.count)) === differed().length);
  assert.deepEqual([...new Set(shadowed().map((e) => e.arm))].sort(), ['candidate', 'stable']);
  assert.equal(sum(shadowed().map((e) => e.differed)), differed().length);
  assert.equal(sum(shadowed().map((e) => e.failures)), 0);
});

test('at a weight of 0 nobody meets the candidate, and it is asked all the same', async () => {
  const { prime, shadowed, differed } = await startRollout(0);
  for (let i = 0; i < REQUESTS; i += 1) assert.equal((await prime.predict('hello', `s${i}`)).arm, 'stable');
  await until('the shadow to be heard of', () => sum(shadowed().map((e) => e.count)) > 0);
  assert.ok(shadowed().every((e) => e.arm === 'candidate'));
  await until('the pairs', () => differed().length > 0);
  assert.ok(differed().every((e) => e.arm === 'stable'));
});

test('answers that are the same are counted, and no pair is kept', async () => {
  const same = fixtureModel({ version: 'v0.2.0', intent: 'one', failsOnTrip: true });
  const { prime, shadowed, differed } = await startRollout(0, { candidate: same });
  await prime.predict('hello', 's');
  await until('the shadow to be heard of', () => sum(shadowed().map((e) => e.count)) > 0);
  assert.equal(sum(shadowed().map((e) => e.differed)), 0);
  assert.equal(differed().length, 0);
});

test('what the candidate fails in the shadow is told, and no client knows of it', async () => {
  const failing = fixtureModel({ version: 'v0.2.0', intent: 'two', failsOnTrip: true });
  const { prime, shadowed } = await startRollout(0, { candidate: failing });
  assert.deepEqual((await prime.predict(TRIP_WORD, 's')).output, { intent: 'one' });
  await until('the failure to be heard of', () => sum(shadowed().map((e) => e.failures)) === 1);
});

test('without a budget nothing is asked twice', async () => {
  const { prime, reactor, shadowed, differed } = await startRollout(0.5, { share: '0' });
  for (let i = 0; i < REQUESTS; i += 1)
    assert.equal((await prime.predict('hello', `s${i}`)).rollout?.pair_id, null);
  await until(
    'all to be heard of',
    () => reactor.countRequests('stable') + reactor.countRequests('candidate') >= REQUESTS,
  );
  assert.deepEqual([shadowed().length, differed().length], [0, 0]);
});

test('slow is what lies above the 95th percentile of the stable version, as it was first known in the rollout', () => {
  const latencies = new Latencies();
  const name = { modelType: 'nlu', version: 'v0.1.0', digest: 'a' } as const;
  const stable = new ServedVersion(name, systemClock);
  const trial = (deploymentId: string): Trial => ({
    deploymentId,
    salt: '',
    step: 0,
    weight: 0.5,
    candidate: null,
  });
  for (let ms = 1; ms < 100; ms += 1) latencies.note(stable, ms);
  assert.equal(latencies.isSlow('nlu', trial('one'), 1e9), false, '99 are too few');
  latencies.note(stable, 100);
  assert.equal(latencies.isSlow('nlu', trial('one'), 95), false);
  assert.equal(latencies.isSlow('nlu', trial('one'), 95.5), true);
  for (let i = 0; i < 1_000; i += 1) latencies.note(stable, 300);
  assert.equal(latencies.isSlow('nlu', trial('one'), 200), true, 'frozen for this rollout');
  assert.equal(
    latencies.isSlow('nlu', trial('two'), 200),
    false,
    'the next one begins with what is true then',
  );
  latencies.note(new ServedVersion(name, systemClock), 1);
  assert.equal(
    latencies.isSlow('nlu', trial('three'), 1e9),
    false,
    'another stable version is measured anew',
  );
});

test('a fast model is not called slow for the noise of its machine', () => {
  const latencies = new Latencies();
  const stable = new ServedVersion({ modelType: 'nlu', version: 'v0.1.0', digest: 'a' }, systemClock);
  for (let i = 0; i < 200; i += 1) latencies.note(stable, 0.2);
  const trial: Trial = { deploymentId: 'd', salt: '', step: 0, weight: 0.5, candidate: null };
  assert.equal(latencies.isSlow('nlu', trial, 19), false);
  assert.equal(latencies.isSlow('nlu', trial, 21), true);
});
