// `GET /api/invariants`: nothing is broken in a busy life, and what is broken in the store or on disk is found and named.
import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import { type InvariantReport, invariantReportSchema } from '@jarvis/contracts';
import { fixtureModel } from './fixture-models.ts';
import { type Client, makeWorld, type RunningPrime, startPrime, until, type World } from './harness.ts';

const v1 = fixtureModel({ version: 'v0.1.0', intent: 'one' });
const v2 = fixtureModel({ version: 'v0.2.0', intent: 'two' });
const garbage = fixtureModel({ version: 'v0.3.0', intent: 'three', graphIsGarbage: true });

async function report(prime: Client): Promise<InvariantReport> {
  return invariantReportSchema.parse((await prime.call('GET', '/api/invariants')).body);
}

async function assertFound(prime: Client, invariant: string, message: RegExp): Promise<void> {
  const { broken } = await report(prime);
  assert.ok(
    broken.some((b) => b.invariant === invariant && message.test(b.message)),
    `${message} is not among ${JSON.stringify(broken, null, 2)}`,
  );
}

/** A rollout whose judge is away, so that evidence waits, with memory that was lent. */
async function busy(): Promise<{ world: World; prime: RunningPrime }> {
  const world = await makeWorld();
  world.reactor.judge = 'away';
  world.reactor.route(v1);
  const prime = await startPrime(world);
  await prime.serves('v0.1.0');
  world.reactor.route(v2, { model: v1, weight: 1 });
  await prime.serves('v0.2.0');
  await prime.waitForState('v0.1.0', 'ready');
  await until('the candidate', async () => (await prime.predict('hello')).arm === 'candidate');
  await until('evidence to wait', async () => ((await prime.health()).outbox?.pending ?? 0) > 0);
  return { world, prime };
}

test('with evidence that waits, memory that was lent, and a candidate that is broken: all hold', async () => {
  const { world, prime } = await busy();
  await prime.makeRoom('lease-1');
  world.reactor.route(v2, { model: garbage, weight: 1 });
  await prime.waitForState('v0.3.0', 'broken');
  const seen = await report(prime);
  assert.deepEqual(seen.broken, []);
  assert.deepEqual(seen.checked, ['I2', 'I7', 'I8', 'outbox']);
  assert.match(seen.notes?.join() ?? '', /the sizes of (\d+) files were looked at, the digests of \1 /);
  await prime.stop();
  assert.deepEqual((await report(await startPrime(world))).broken, []);
});

test('each way in which the store may be broken is found', async () => {
  const { world, prime } = await busy();
  const db = new DatabaseSync(join(world.folder, 'j-prime', 'j-prime.db'), { timeout: 5_000 });
  after(() => db.close());
  db.exec(`DROP INDEX outbox_open_counts`);
  const row = (seq: number, id: string, attempted: number, kind = 'requests'): string =>
    `INSERT INTO outbox (seq, evidence_id, kind, deployment_id, arm, observed_at, step, count, attempted)
     VALUES (${seq}, '${id}', '${kind}', 'd', 'candidate', '2026-01-01T00:00:00Z', 0, 1, ${attempted})`;
  const room = (answer: string): string =>
    `INSERT INTO room (seq, request_id, asked, answer, unloaded) VALUES (900, 'r', '', '${answer}', '[]')`;
  const done = { request_id: 'r', state: 'done', steps: [], freed_bytes: 0, reason: '' };
  const breaks: [string, string, RegExp][] = [
    ['outbox', row(900, 'a', 0, 'rumour'), /a row is no evidence: a \(kind:/],
    [
      'outbox',
      `${row(900, 'a', 0)}; ${row(901, 'b', 0)}`,
      /the requests of d, candidate, step 0 gather in more/,
    ],
    [
      'outbox',
      `${row(900, 'a', 0, 'shadowed')}; ${row(901, 'b', 0, 'shadowed')}`,
      /the requests of d, candidate, step 0 gather in more/,
    ],
    [
      'outbox',
      `${row(900, 'a', 0)}; ${row(901, 'b', 1)}`,
      /row 901 was sent before row \d+, which came first/,
    ],
    [
      'I2',
      room(JSON.stringify(done)),
      /1 requests for room have not come back, and the memory counts as ours/,
    ],
    ['I2', room('{}'), /a request for room: r cannot be read/],
  ];
  for (const [invariant, sql, message] of breaks) {
    db.exec(`BEGIN IMMEDIATE; ${sql}; COMMIT`);
    await assertFound(prime, invariant, message);
    db.exec('BEGIN IMMEDIATE; DELETE FROM outbox WHERE seq >= 900; DELETE FROM room WHERE seq = 900; COMMIT');
  }
  assert.deepEqual((await report(prime)).broken, []);
});

test('a file of a cached artifact that went, shrank or changed is found', async () => {
  const { world, prime } = await busy();
  for (const name of ['model.json', 'model.onnx']) {
    const path = join(world.folder, 'j-prime', 'artifacts', v2.digest, name);
    const whole = await readFile(path);
    const changed = Buffer.from(whole);
    changed[changed.length - 1] = (changed.at(-1) ?? 0) ^ 1;
    const of = `^${name} of the artifact ${v2.digest} `.replaceAll('.', '\\.');
    await rm(path);
    await assertFound(prime, 'I8', new RegExp(`${of}is not there`));
    await writeFile(path, changed);
    await assertFound(prime, 'I8', new RegExp(`${of}has SHA-256 [0-9a-f]{64}, not`));
    await writeFile(path, whole);
  }
  assert.deepEqual((await report(prime)).broken, []);
});
