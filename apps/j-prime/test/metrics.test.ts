// `GET /metrics` of J-Prime, and the outbox and its peer in its health: as things are, not as they were.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sampleOf } from '@jarvis/testkit';
import { fixtureModel } from './fixture-models.ts';
import { type Client, makeWorld, startPrime, until } from './harness.ts';

const v1 = fixtureModel({ version: 'v0.1.0', intent: 'one' });
const v2 = fixtureModel({ version: 'v0.2.0', intent: 'two' });

async function scrape(prime: Client): Promise<string> {
  return (await fetch(`${prime.url}/metrics`)).text();
}

test('versions in memory, the outbox while the judge is away, and the peer', async () => {
  const world = await makeWorld();
  world.reactor.judge = 'away';
  world.reactor.route(v1, { model: v2, weight: 1 });
  const prime = await startPrime(world);
  await prime.serves('v0.1.0');
  await prime.waitForState('v0.2.0', 'ready');
  await until('the candidate', async () => (await prime.predict('hello')).arm === 'candidate');
  await until('evidence to wait', async () => ((await prime.health()).outbox?.oldest_age_seconds ?? 0) > 0);
  const text = await scrape(prime);
  const version = (name: string, role: string): number | null =>
    sampleOf(text, `jarvis_served_version_info{kind="nlu",version="${name}",role="${role}",state="ready"}`);
  assert.equal(version('v0.1.0', 'stable'), 1);
  assert.equal(version('v0.2.0', 'candidate'), 1);
  assert.ok((sampleOf(text, 'jarvis_outbox_pending') ?? 0) >= 1);
  assert.ok((sampleOf(text, 'jarvis_outbox_oldest_age_seconds') ?? 0) > 0);
  assert.equal(sampleOf(text, 'jarvis_peer_reachable{peer="reactor-core"}'), 1);
  assert.ok((sampleOf(text, 'jarvis_peer_calls_total{peer="reactor-core",outcome="refused"}') ?? 0) > 0);
  assert.equal(sampleOf(text, 'jarvis_predictions_running'), 0);

  world.reactor.judge = 'hears';
  await until('the outbox to be empty', async () => (await prime.health()).outbox?.pending === 0);
  assert.equal((await prime.health()).outbox?.oldest_age_seconds, null);
  assert.equal(sampleOf(await scrape(prime), 'jarvis_outbox_oldest_age_seconds'), 0);

  const there = (await prime.health()).peers?.['reactor-core'];
  assert.deepEqual([there?.reachable, there?.breaker], [true, 'closed']);
  await world.reactor.stop();
  await until('it to be missed', async () => {
    const peer = (await prime.health()).peers?.['reactor-core'];
    return peer?.reachable === false && Date.parse(peer.since ?? '') >= Date.parse(there?.since ?? '');
  });
  assert.equal(sampleOf(await scrape(prime), 'jarvis_peer_reachable{peer="reactor-core"}'), 0);
});
