// More predictions than J-Prime holds: filled over HTTP, told to come back, and none of those it took is lost.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BroadcastChannel } from 'node:worker_threads';
import { sampleOf } from '@jarvis/testkit';
import { PREDICTIONS_PER_KIND_MAX } from '../src/models/limits.ts';
import { fixtureModel } from './fixture-models.ts';
import { makeWorld, startPrime, until } from './harness.ts';

const script = new URL('./children/model-thread.ts', import.meta.url);
const stable = fixtureModel({ version: 'v0.1.0', intent: 'two' });
const next = fixtureModel({ version: 'v0.2.0', intent: 'three' });

test('beyond the bound it is overloaded with Retry-After; what was taken is answered, whole batches at a time', async () => {
  const { environment, ...rest } = await makeWorld();
  const world = { ...rest, environment: { ...environment, JPRIME_WORKER_THREADS: 'always' } };
  const prime = await startPrime(world, null, { script, runMsMax: 120_000 });
  world.reactor.route(stable);
  await prime.serves('v0.1.0');
  const scrape = async (): Promise<string> => (await fetch(`${prime.url}/metrics`)).text();

  const held = prime.predict('held now');
  await until('it to run', async () => (await prime.resources()).active_requests === 1);
  const waiting = Array.from({ length: PREDICTIONS_PER_KIND_MAX - 1 }, (_, i) => prime.predict(`hello ${i}`));
  const of = 'kind="nlu",version="v0.1.0",arm="stable"';
  await until(
    'all of them to wait',
    async () =>
      sampleOf(await scrape(), `jarvis_predictions_pending{${of}}`) === PREDICTIONS_PER_KIND_MAX - 1,
  );

  const refused = await fetch(`${prime.url}/api/predict/nlu`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ input: { text: 'one too many' } }),
  });
  assert.equal(refused.status, 503);
  assert.equal(refused.headers.get('retry-after'), '1');
  assert.equal(((await refused.json()) as { code: string }).code, 'overloaded');
  const other = await prime.problem('/api/predict/voice', { input: {} });
  assert.equal(other.code, 'no_version', 'another kind has a bound of its own');

  const channel = new BroadcastChannel('held models');
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
  channel.postMessage('go on');
  const answers = await Promise.all([held, ...waiting]);
  channel.close();
  assert.equal(answers.length, PREDICTIONS_PER_KIND_MAX);
  assert.ok(answers.every(({ output }) => output['intent'] === 'two'));
  assert.equal((await prime.predict('hello')).version, 'v0.1.0');

  const text = await scrape();
  assert.equal(sampleOf(text, `jarvis_version_requests_total{${of}}`), PREDICTIONS_PER_KIND_MAX + 1);
  assert.equal(sampleOf(text, `jarvis_version_failures_total{${of}}`), 0);
  assert.equal(sampleOf(text, `jarvis_predictions_pending{${of}}`), 0);
  const took = sampleOf(text, `jarvis_prediction_duration_seconds_count{${of}}`);
  assert.equal(took, PREDICTIONS_PER_KIND_MAX + 1);
  assert.equal(sampleOf(text, `jarvis_prediction_batch_inputs_sum{${of}}`), PREDICTIONS_PER_KIND_MAX + 1);
  const runs = sampleOf(text, `jarvis_prediction_batch_inputs_count{${of}}`) ?? 0;
  assert.ok(runs > 2 && runs < PREDICTIONS_PER_KIND_MAX, `they shared ${runs} runs`);

  world.reactor.route(next);
  await prime.serves('v0.2.0');
  const third = fixtureModel({ version: 'v0.3.0', intent: 'four' });
  world.reactor.route(third);
  await prime.serves('v0.3.0');
  await until('the first version to leave the metrics', async () => !(await scrape()).includes('v0.1.0'));
});
