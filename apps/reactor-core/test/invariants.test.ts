// `GET /api/invariants`: nothing is broken after a busy life, and what is broken in the store or on disk is found and named.
import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { type InvariantReport, invariantReportSchema, modelVersionSchema } from '@jarvis/contracts';
import type { Reactor } from './harness.ts';
import { CHAMPION, GOOD, requests, roll, rolloutWorld, type RolloutWorld, WORSE } from './rollout-world.ts';

/** What is put back after each break. */
const TABLES = ['slots', 'runs', 'jobs', 'events', 'versions', 'promotions', 'deployments'];
/** What keeps the store itself from being broken so. */
const GUARDS = [
  'one_live_run_of_a_job',
  'one_live_run_of_a_slot',
  'one_version_of_a_job',
  'one_rollout_of_a_kind',
];
/** No look at the rollouts but those that are asked for: it would act on what is broken here. */
const QUIET = { ROLLOUT_CHECK_INTERVAL: '3600' };

async function report(reactor: Reactor): Promise<InvariantReport> {
  return invariantReportSchema.parse(await reactor.must('GET', '/api/invariants'));
}

function openStore(world: RolloutWorld): DatabaseSync {
  const db = new DatabaseSync(world.file('reactor-core.db'), { timeout: 5_000 });
  db.exec('PRAGMA foreign_keys = OFF');
  return db;
}

async function assertFound(reactor: Reactor, invariant: string, message: RegExp): Promise<void> {
  const { broken } = await report(reactor);
  assert.ok(
    broken.some((b) => b.invariant === invariant && message.test(b.message)),
    `${message} is not among ${JSON.stringify(broken, null, 2)}`,
  );
}

test('after versions, a rollout that goes on and one that was refused, and a restart: all hold', async (t) => {
  const world = await rolloutWorld(t);
  const id = await roll(world.reactor, GOOD);
  await world.reactor.evidence([requests(id, 0, 3)]);
  const worse = await world.reactor.deploy(WORSE);
  await world.reactor.deploymentIn(worse, 'rejected');
  const seen = await report(world.reactor);
  assert.deepEqual(seen.broken, []);
  assert.deepEqual(seen.checked, ['I1', 'I4', 'I8', 'deployments']);
  assert.match(seen.notes?.join() ?? '', /the sizes of (\d+) files were looked at, the digests of \1 /);
  assert.deepEqual((await report(await world.restart())).broken, []);
});

test('each way in which the store may be broken is found', async (t) => {
  const world = await rolloutWorld(t, QUIET);
  const { reactor } = world;
  const id = await roll(reactor, GOOD);
  const live = (job: string, slot: number, token: number): string =>
    `UPDATE runs SET state = 'running', slot = ${slot}, token = ${token} WHERE job_id = '${job}'`;
  const breaks: [string, string, RegExp][] = [
    [
      'I1',
      `${live('job-0', 0, 4)}; ${live('job-1', 1, 7)}; INSERT INTO slots VALUES (1, 7)`,
      /2 runs are live \(of job-0, job-1\), 1 may be/,
    ],
    ['I1', `${live('job-0', 0, 4)}; ${live('job-1', 0, 4)}`, /2 live runs share slot 0/],
    ['I1', live('job-3', 0, 3), /job-3 has token 3 of slot 0, whose highest is 4/],
    ['I4', `DELETE FROM events WHERE stream = 'run/job-1' AND seq = 2`, /job-1 has \d+ events, the last is/],
    [
      'I4',
      `UPDATE events SET type = 'status' WHERE stream = 'run/job-1' AND type = 'completed'`,
      /job-1 is completed and was told to end 0 times/,
    ],
    [
      'I4',
      `INSERT INTO events SELECT stream, seq + 1, 'status', data, at FROM events WHERE stream = 'run/job-1' AND type = 'completed'`,
      /job-1 ended with event \d+, and event \d+ came after it/,
    ],
    [
      'I4',
      `UPDATE jobs SET outcome = NULL WHERE job_id = 'job-1'`,
      /job-1 is open and was told to end 1 times/,
    ],
    [
      'I4',
      `DELETE FROM versions WHERE job_id = 'job-2'`,
      /job-2 is completed and has no version, which should be/,
    ],
    [
      'I4',
      `UPDATE versions SET job_id = 'job-1' WHERE job_id = 'job-2'`,
      /job-1 is completed and has v0\.1\.1, v0\.1\.2/,
    ],
    [
      'I8',
      `DELETE FROM versions WHERE version = '${CHAMPION}'`,
      /nlu v0\.1\.0 was promoted and is not in the reg/,
    ],
    [
      'I8',
      `UPDATE versions SET manifest = manifest || ' '`,
      /model\.json of nlu v0\.1\.0 has \d+ bytes, not/,
    ],
    [
      'deployments',
      `INSERT INTO deployments SELECT 'twin', model_type, model_version, stable_version, strategy, state, reason, plan, salt,
         step_index, step_started_ms, step_paused_ms, history, judge, gate, created_at, ended_at, 0, 0
       FROM deployments WHERE deployment_id = '${id}'`,
      /2 rollouts of nlu are under way/,
    ],
    [
      'deployments',
      `UPDATE deployments SET step_index = 1 WHERE state = 'rolling'`,
      /went 10 %, and its plan .* 10, 50/,
    ],
    [
      'deployments',
      `UPDATE deployments SET history = '[]' WHERE state = 'rolling'`,
      /is rolling and has no step/,
    ],
    [
      'deployments',
      `UPDATE deployments SET ended_at = 'now' WHERE state = 'rolling'`,
      /is rolling and has a time of its end/,
    ],
    [
      'deployments',
      `UPDATE deployments SET state = 'rolled_back', ended_at = 'now' WHERE state = 'rolling'`,
      /is rolled_back and has 1 open steps/,
    ],
    [
      'deployments',
      'DELETE FROM promotions',
      /is promoted and promoted v0\.1\.0, of which there is no promotion/,
    ],
  ];
  const db = openStore(world);
  t.after(() => db.close());
  for (const guard of GUARDS) db.exec(`DROP INDEX ${guard}`);
  db.exec(
    `ATTACH ':memory:' AS before; ${TABLES.map((n) => `CREATE TABLE before.${n} AS SELECT * FROM ${n}`).join(';')}`,
  );
  for (const [invariant, sql, message] of breaks) {
    db.exec(`BEGIN IMMEDIATE; ${sql}; COMMIT`);
    await assertFound(reactor, invariant, message);
    db.exec(
      `BEGIN IMMEDIATE; ${TABLES.map((n) => `DELETE FROM ${n}; INSERT INTO ${n} SELECT * FROM before.${n}`).join(';')}; COMMIT`,
    );
  }
  assert.deepEqual((await report(reactor)).broken, []);
});

test('a file of a version that went, shrank or changed is found', async (t) => {
  const world = await rolloutWorld(t, QUIET);
  const { reactor } = world;
  const version = modelVersionSchema.parse(await reactor.must('GET', `/api/models/nlu/versions/${CHAMPION}`));
  const [[name, { sha256 }] = ['', { sha256: '' }]] = Object.entries(version.files);
  const path = world.file('registry', 'blobs', sha256);
  const whole = await readFile(path);
  const changed = Buffer.from(whole);
  changed[0] = (changed[0] ?? 0) ^ 1;
  const breaks: [() => Promise<void>, RegExp][] = [
    [() => rm(path), /is not there/],
    [() => writeFile(path, whole.subarray(1)), /has \d+ bytes, not \d+/],
    [() => writeFile(path, changed), /has SHA-256 [0-9a-f]{64}, not/],
  ];
  for (const [breakIt, what] of breaks) {
    await breakIt();
    await assertFound(reactor, 'I8', new RegExp(`^${name} of nlu ${CHAMPION} ${what.source}`));
    await writeFile(path, whole);
  }
  assert.deepEqual((await report(reactor)).broken, []);
});
