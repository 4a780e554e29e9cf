// What survives: serving without Reactor Core, evidence across kill -9, requests under way at a stop.
import assert from 'node:assert/strict';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { exited } from '@jarvis/testkit';
import { fixtureModel, TRIP_WORD } from './fixture-models.ts';
import { makeWorld, spawnPrime, startPrime, until, type World } from './harness.ts';

const v1 = fixtureModel({ version: 'v0.1.0', intent: 'one' });
const v2 = fixtureModel({ version: 'v0.2.0', intent: 'two' });
const failing = fixtureModel({ version: 'v0.2.1', intent: 'two', failsOnTrip: true });

const artifactsOf = (world: World): string => join(world.folder, 'j-prime', 'artifacts');

test('it starts and serves from this disk while Reactor Core is away, rollout and all', async () => {
  const world = await makeWorld();
  world.reactor.route(v1, { model: v2, weight: 0.5 });
  const first = await startPrime(world);
  await first.serves('v0.1.0');
  await first.waitForState('v0.2.0', 'ready');
  const { arm } = await first.predict('hello', 'session-1');
  await first.stop();
  await world.reactor.stop();

  const second = await startPrime(world);
  await second.serves('v0.1.0');
  await second.waitForState('v0.2.0', 'ready');
  const again = await second.predict('hello', 'session-1');
  assert.equal(again.arm, arm);
  const health = await second.health();
  assert.equal(health.status, 'healthy');
  assert.equal(health.peers?.['reactor-core']?.reachable, false);
  await world.reactor.start();
  await until(
    'Reactor Core to be seen again',
    async () => (await second.health()).peers?.['reactor-core']?.reachable === true,
  );
});

test('a version whose files never came is stood in for by the one that served last', async () => {
  const world = await makeWorld();
  world.reactor.route(v1);
  const first = await startPrime(world);
  await first.serves('v0.1.0');
  // Routed, but its files are not to be had: as after a crash in the middle of a promotion.
  await first.stop();
  world.reactor.route(v2);
  await world.reactor.stop();
  const database = new DatabaseSync(join(world.folder, 'j-prime', 'j-prime.db'));
  const { body } = database.prepare('SELECT body FROM known_routes').get() as { body: string };
  database
    .prepare('UPDATE known_routes SET body = ?')
    .run(body.replace(v1.digest, v2.digest).replace('v0.1.0', 'v0.2.0'));
  database.close();

  const second = await startPrime(world);
  await second.serves('v0.1.0');
  await world.reactor.start();
  await second.serves('v0.2.0');
});

test('a damaged artifact on this disk is fetched anew, and half a download is cleared away', async () => {
  const world = await makeWorld();
  world.reactor.route(v1);
  const first = await startPrime(world);
  await first.serves('v0.1.0');
  await first.stop();
  await writeFile(join(artifactsOf(world), v1.digest, 'model.onnx'), 'damaged');
  await writeFile(join(artifactsOf(world), '.incoming-half'), 'half');
  const second = await startPrime(world);
  await second.serves('v0.1.0');
  assert.deepEqual(await readdir(artifactsOf(world)), [v1.digest]);
});

test('of the artifacts that are not routed any more the last few stay', async () => {
  const world = await makeWorld();
  const prime = await startPrime(world);
  const versions = Array.from({ length: 8 }, (_, i) =>
    fixtureModel({ version: `v0.${i}.0`, intent: `intent-${i}` }),
  );
  for (const version of versions) {
    world.reactor.route(version);
    await prime.serves(version.version);
  }
  const kept = versions.slice(-6).map((v) => v.digest);
  await until('the oldest to go', async () => (await readdir(artifactsOf(world))).length <= kept.length);
  const left = await readdir(artifactsOf(world));
  for (const digest of versions.slice(-5).map((v) => v.digest)) assert.ok(left.includes(digest));
});

test('evidence survives kill -9 and is delivered once, under the same ids', async () => {
  const world = await makeWorld();
  const { reactor } = world;
  reactor.route(v1, { model: failing, weight: 1 });
  reactor.judge = 'deaf';
  const first = await spawnPrime(world);
  await first.waitForState('v0.2.1', 'ready');
  await until('the candidate', async () => (await first.predict('hello')).arm === 'candidate');
  await first.predict(TRIP_WORD, 'session-1');
  await until('a batch that is never acknowledged', () => reactor.batches.length >= 2);
  await until('the failure to be stored', () => storedIds(world).some((row) => row.kind === 'failed'));
  first.child.kill('SIGKILL');
  await exited(first.child);
  const stored = storedIds(world).map((row) => row.evidence_id);
  assert.ok(stored.length >= 2, 'requests and a failure');

  reactor.judge = 'hears';
  const second = await spawnPrime(world);
  await until('the outbox to be empty', async () => (await second.health()).outbox_pending === 0);
  const heard = new Set(reactor.heard().map((e) => e.evidence_id));
  for (const id of stored) assert.ok(heard.has(id), `${id} was delivered`);
  assert.equal(reactor.heard().filter((e) => e.kind === 'failed').length, 1);
  const contents = new Map<string, string>();
  for (const evidence of reactor.batches.flat()) {
    const known = contents.get(evidence.evidence_id) ?? JSON.stringify(evidence);
    assert.equal(JSON.stringify(evidence), known, 'what was sent once never changes');
    contents.set(evidence.evidence_id, known);
  }
  second.child.kill('SIGTERM');
  assert.equal(await exited(second.child), 0);
});

test('requests gather in one row while the judge is away, and their number is right when it is back', async () => {
  const made = await makeWorld();
  const world = { ...made, environment: { ...made.environment, ROLLOUT_SHADOW_SHARE: '0' } };
  const { reactor } = world;
  reactor.judge = 'away';
  reactor.route(v1, { model: v2, weight: 1 });
  const prime = await startPrime(world);
  await prime.serves('v0.1.0');
  await prime.waitForState('v0.2.0', 'ready');
  await until('the candidate', async () => (await prime.predict('hello')).arm === 'candidate');
  for (let i = 0; i < 300; i++) await prime.predict('hello', `s${i}`);
  assert.ok((await prime.health()).outbox_pending! <= 2, 'a row that was tried, and one that gathers');
  reactor.judge = 'hears';
  await until('all to be heard of', () => reactor.countRequests('candidate') >= 301);
  assert.equal(reactor.countRequests('candidate'), 301);
});

test('one row that the judge refuses does not hold up the others', async () => {
  const world = await makeWorld();
  world.reactor.judge = 'away';
  world.reactor.route(v1, { model: v2, weight: 1 });
  const first = await startPrime(world);
  await first.serves('v0.1.0');
  await first.waitForState('v0.2.0', 'ready');
  for (let i = 0; i < 20; i++) await first.predict('hello', `s${i}`);
  await until('a row', async () => ((await first.health()).outbox_pending ?? 0) > 0);
  await first.stop();
  const database = new DatabaseSync(join(world.folder, 'j-prime', 'j-prime.db'));
  database.exec(`INSERT INTO outbox (seq, evidence_id, kind, deployment_id, arm, observed_at, step, count)
    VALUES (0, 'poison', 'requests', 'deployment-refused', 'candidate', 'now', 0, 1)`);
  database.close();
  world.reactor.judge = 'hears';
  world.reactor.refuses = 'deployment-refused';
  const second = await startPrime(world);
  await until('the others', () => world.reactor.countRequests('candidate') >= 20);
  await until('the outbox to be empty', async () => (await second.health()).outbox_pending === 0);
  assert.ok(world.reactor.heard().every((e) => e.evidence_id !== 'poison'));
});

test('requests that run when it stops are answered, and it exits 0', async () => {
  const world = await makeWorld();
  world.reactor.route(v1);
  const prime = await spawnPrime(world);
  await prime.serves('v0.1.0');
  let answered = 0;
  let refused = 0;
  const asked = Array.from({ length: 64 }, async () => {
    const answer = await prime
      .call('POST', '/api/predict/nlu', { input: { text: 'hello' } })
      .catch(() => null);
    if (answer?.status === 200) answered += 1;
    else if (answer === null || answer.status === 503) refused += 1;
    else assert.fail(JSON.stringify(answer));
  });
  const { status } = await prime.call('POST', '/api/shutdown', {});
  assert.equal(status, 202);
  await Promise.all(asked);
  assert.equal(answered + refused, 64);
  assert.equal(await exited(prime.child), 0);
});

test('two of them cannot share a home', async () => {
  const world = await makeWorld();
  await startPrime(world);
  await assert.rejects(startPrime(world), /another J-Prime uses this home/);
});

test('a Reactor Core that was never there keeps nobody from starting', async () => {
  const world = await makeWorld();
  await world.reactor.stop();
  const prime = await startPrime(world);
  const health = await prime.health();
  assert.deepEqual(health.models_deployed, {});
  assert.equal(health.service, 'j-prime');
  await rm(artifactsOf(world), { recursive: true });
});

function storedIds(world: World): { evidence_id: string; kind: string }[] {
  const database = new DatabaseSync(join(world.folder, 'j-prime', 'j-prime.db'), { readOnly: true });
  try {
    return database.prepare('SELECT evidence_id, kind FROM outbox').all() as {
      evidence_id: string;
      kind: string;
    }[];
  } finally {
    database.close();
  }
}
