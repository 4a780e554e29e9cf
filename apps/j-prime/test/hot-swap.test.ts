// A version is replaced under load: nothing fails, and nobody but the two versions concerned ever answers (I7).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fixtureModel } from './fixture-models.ts';
import { type Client, makeWorld, startPrime, until } from './harness.ts';

const v1 = fixtureModel({ version: 'v0.1.0', intent: 'one' });
const v2 = fixtureModel({ version: 'v0.2.0', intent: 'two' });
const intents: Record<string, string> = { 'v0.1.0': 'one', 'v0.2.0': 'two' };
const WORKERS = 8;

/** Requests without a pause; `versions` is who answered, in the order of the answers. */
function load(client: Client): { versions: string[]; stop: () => Promise<void> } {
  const versions: string[] = [];
  const running = new AbortController();
  const worker = async (): Promise<void> => {
    while (!running.signal.aborted) {
      const { version, output } = await client.predict('hello');
      assert.equal(output['intent'], intents[version], 'the answer is that of the version it names');
      versions.push(version);
    }
  };
  const workers = Array.from({ length: WORKERS }, worker);
  return {
    versions,
    stop: async () => {
      running.abort();
      await Promise.all(workers);
    },
  };
}

test('the stable version is swapped under load without a failure, and back for a rollback', async () => {
  const { reactor, ...world } = await makeWorld();
  const prime = await startPrime({ reactor, ...world });
  reactor.route(v1);
  await prime.serves('v0.1.0');
  const under = load(prime);
  await until('answers of v0.1.0', () => under.versions.length >= 50);
  reactor.route(v2);
  await until('answers of v0.2.0', () => under.versions.at(-1) === 'v0.2.0' && under.versions.length >= 200);
  const fetched = reactor.artifactRequests;
  const swappedAt = under.versions.length;
  reactor.route(v1);
  await until('answers of v0.1.0 again', () => under.versions.slice(swappedAt).includes('v0.1.0'));
  const backAt = under.versions.length;
  await until('more answers', () => under.versions.length >= backAt + 50);
  await under.stop();

  const { versions } = under;
  assert.equal(versions[0], 'v0.1.0');
  const afterSwap = versions.slice(versions.indexOf('v0.2.0'), swappedAt);
  const afterRollback = versions.slice(versions.indexOf('v0.1.0', swappedAt));
  const late = (answers: string[], old: string): number => answers.filter((v) => v === old).length;
  assert.ok(
    late(afterSwap, 'v0.1.0') < WORKERS,
    'only requests that ran already are answered by the old one',
  );
  assert.ok(late(afterRollback, 'v0.2.0') < WORKERS);
  assert.equal(reactor.artifactRequests, fetched, 'a rollback needs nothing from Reactor Core');
  const roles = (await prime.resources()).models.map((m) => `${m.version} ${m.role} ${m.state}`);
  assert.deepEqual(roles.toSorted(), ['v0.1.0 stable ready', 'v0.2.0 previous ready']);
});

test('the old stable version answers for as long as the new one cannot be had', async () => {
  const { reactor, ...world } = await makeWorld();
  const prime = await startPrime({ reactor, ...world });
  reactor.route(v1);
  await prime.serves('v0.1.0');
  const garbage = fixtureModel({ version: 'v0.2.0', intent: 'two', graphIsGarbage: true });
  reactor.route(garbage);
  await prime.waitForState('v0.2.0', 'broken');
  assert.equal((await prime.predict('hello')).version, 'v0.1.0');
  assert.equal((await prime.health()).status, 'degraded');
  const v3 = fixtureModel({ version: 'v0.3.0', intent: 'three' });
  reactor.route(v3);
  await prime.serves('v0.3.0');
  assert.equal((await prime.health()).status, 'healthy');
});

test('a promoted candidate takes over at once, and a later snapshot with a lower revision counts after a new connection', async () => {
  const { reactor, ...world } = await makeWorld();
  const prime = await startPrime({ reactor, ...world });
  reactor.route(v1, { model: v2, weight: 1 });
  await prime.serves('v0.1.0');
  await prime.waitForState('v0.2.0', 'ready');
  await until('the candidate to answer', async () => (await prime.predict('x')).version === 'v0.2.0');
  const fetched = reactor.artifactRequests;
  reactor.route(v2);
  await until('the promotion', async () => (await prime.predict('x')).arm === 'stable');
  assert.equal((await prime.predict('x')).version, 'v0.2.0');
  assert.equal(reactor.artifactRequests, fetched);

  await reactor.stop();
  reactor.forgetRevisions();
  await reactor.start();
  reactor.route(v1);
  await prime.serves('v0.1.0');
});
