// Models in threads of their own: a thread that crashes, however, costs nobody an answer, and one that goes on crashing
// takes its version out of service.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sampleOf } from '@jarvis/testkit';
import { fixtureModel } from './fixture-models.ts';
import { type Client, makeWorld, type RunningPrime, startPrime, until, type World } from './harness.ts';

const SCRIPT = new URL('./children/model-thread.ts', import.meta.url);
const v1 = fixtureModel({ version: 'v0.1.0', intent: 'one' });
const v2 = fixtureModel({ version: 'v0.2.0', intent: 'two' });
const v3 = fixtureModel({ version: 'v0.3.0', intent: 'three' });
/** More than the restarts that a version gets. */
const CRASHES = 8;

type Threaded = World & { prime: RunningPrime };

async function startThreaded(runMsMax = 60_000): Promise<Threaded> {
  const { environment, ...rest } = await makeWorld();
  const world = { ...rest, environment: { ...environment, JPRIME_WORKER_THREADS: 'always' } };
  return { ...world, prime: await startPrime(world, null, { script: SCRIPT, runMsMax }) };
}

async function startRollout(runMsMax?: number): Promise<Threaded> {
  const world = await startThreaded(runMsMax);
  world.reactor.route(v1, { model: v2, weight: 1 });
  await world.prime.serves('v0.1.0');
  await world.prime.waitForState('v0.2.0', 'ready');
  await until('the candidate', async () => (await world.prime.predict('hello')).version === 'v0.2.0');
  return world;
}

async function scrape(prime: Client): Promise<string> {
  return (await fetch(`${prime.url}/metrics`)).text();
}

test('a model in a thread answers, bad input is told as such, and the thread is in the metrics', async () => {
  const { reactor, prime } = await startThreaded();
  reactor.route(v1);
  await prime.serves('v0.1.0');
  const answers = await Promise.all(Array.from({ length: 40 }, (_, i) => prime.predict(`hello ${i}`)));
  assert.ok(answers.every(({ output, version }) => output['intent'] === 'one' && version === 'v0.1.0'));
  assert.equal((await prime.problem('/api/predict/nlu', { input: { text: 7 } })).code, 'invalid_request');
  const cost = sampleOf(
    await scrape(prime),
    'jarvis_served_version_cost_seconds{kind="nlu",version="v0.1.0",place="thread"}',
  );
  assert.ok(cost !== null && cost > 0);
});

for (const [deed, runMsMax] of [
  ['exit', undefined],
  ['uncaught', undefined],
  ['heap', undefined],
  ['hang', 3_000],
] as const)
  test(`a thread lost to ${deed}: stable answers what ran in it, and the candidate comes back`, async () => {
    const { reactor, prime } = await startRollout(runMsMax);
    const answer = await prime.predict(`${deed} now`, 'session-1');
    assert.equal(answer.version, 'v0.1.0');
    await until('the failure to be heard of', () => reactor.heard().some((e) => e.kind === 'failed'));
    await until('the candidate again', async () => (await prime.predict('hello')).version === 'v0.2.0');
    const restarts = 'jarvis_served_version_restarts_total{kind="nlu",version="v0.2.0"}';
    assert.ok((sampleOf(await scrape(prime), restarts) ?? 0) >= 1);
    assert.ok(reactor.heard().every((e) => e.kind !== 'broken'));
  });

test('a candidate that goes on crashing is broken: stable answers every request, and the judge hears why', async () => {
  const { reactor, prime } = await startRollout();
  const worker = async (i: number): Promise<void> => {
    for (let n = 0; n < CRASHES; n++) {
      const { version, arm } = await prime.predict('exit now', `session-${i}-${n}`);
      assert.deepEqual([version, arm], ['v0.1.0', 'stable']);
    }
  };
  await Promise.all(Array.from({ length: 8 }, (_, i) => worker(i)));
  await prime.waitForState('v0.2.0', 'broken');
  await until('the judge to hear', () => reactor.heard().some((e) => e.kind === 'broken'));
  const broken = reactor.heard().filter((e) => e.kind === 'broken');
  assert.equal(broken.length, 1);
  assert.match(JSON.stringify(broken), /thread crashed 4 times.*code 7/);
  assert.ok(reactor.heard().some((e) => e.kind === 'failed'));
  const { version, rollout } = await prime.predict('hello', 'session-1');
  assert.deepEqual([version, rollout?.weight], ['v0.1.0', 0]);
});

test('a stable version that goes on crashing is replaced by the one before it', async () => {
  const { reactor, prime } = await startThreaded();
  reactor.route(v1);
  await prime.serves('v0.1.0');
  reactor.route(v2);
  await prime.serves('v0.2.0');
  for (let crash = 0; crash < CRASHES; crash++)
    await prime.call('POST', '/api/predict/nlu', { input: { text: 'exit now' } });
  await prime.serves('v0.1.0');
  assert.equal((await prime.predict('exit now')).version, 'v0.1.0');
  assert.equal((await prime.health()).status, 'degraded');
  reactor.route(v3);
  await prime.serves('v0.3.0');
});

test('versions in threads are swapped under load without a failure', async () => {
  const { reactor, prime } = await startThreaded();
  reactor.route(v1);
  await prime.serves('v0.1.0');
  const versions: string[] = [];
  const running = new AbortController();
  const worker = async (): Promise<void> => {
    while (!running.signal.aborted) versions.push((await prime.predict('hello')).version);
  };
  const workers = Array.from({ length: 8 }, worker);
  await until('answers of v0.1.0', () => versions.length >= 50);
  reactor.route(v3);
  await until('answers of v0.3.0', () => versions.filter((version) => version === 'v0.3.0').length >= 50);
  running.abort();
  await Promise.all(workers);
  assert.deepEqual(new Set(versions), new Set(['v0.1.0', 'v0.3.0']));
});
