// `GET /metrics` of Reactor Core, through a run, its version and its deployment.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sampleOf } from '@jarvis/testkit';
import { makeWorld } from './harness.ts';
import { until } from './until.ts';

test('runs, versions, deployments, what trainers babble, and transactions by their step', async (t) => {
  const world = await makeWorld(t);
  const reactor = await world.start();
  const scrape = async (): Promise<string> => (await fetch(`${reactor.url}/metrics`)).text();
  await reactor.start(world.body({ mode: 'held', auto_deploy: true }));
  await reactor.eventsUntil('job-1', (e) => e.name === 'checkpoint');
  assert.equal(sampleOf(await scrape(), 'jarvis_runs{kind="nlu",state="running"}'), 1);
  await world.release('job-1');
  await reactor.eventsToEnd('job-1');
  let text = '';
  await until('the first version to be promoted', async () => {
    text = await scrape();
    return sampleOf(text, 'jarvis_deployments{kind="nlu",state="promoted"}') === 1;
  });
  assert.equal(sampleOf(text, 'jarvis_runs{kind="nlu",state="completed"}'), 1);
  assert.equal(sampleOf(text, 'jarvis_runs{kind="nlu",state="running"}'), null);
  assert.equal(sampleOf(text, 'jarvis_versions{kind="nlu"}'), 1);
  assert.match(text, /^jarvis_champion_info\{kind="nlu",version="v\d+\.\d+\.\d+"\} 1$/m);
  assert.equal(sampleOf(text, 'jarvis_trainer_bad_lines_total{kind="nlu"}'), 0);
  const step = 'step="reactor.run.complete",outcome="committed"';
  assert.equal(sampleOf(text, `jarvis_store_transactions_total{${step}}`), 1);
  assert.equal(sampleOf(text, 'jarvis_metrics_readers_failed'), 0);
  assert.ok(!text.includes('job-1'), 'no label holds an id');
});
