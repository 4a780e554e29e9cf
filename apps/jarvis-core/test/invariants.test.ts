// `GET /api/invariants`: nothing is broken after a busy life, and what is broken in the store is found and named.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { type InvariantReport, invariantReportSchema } from '@jarvis/contracts';
import { until } from '@jarvis/testkit';
import { type Client, commands } from './client.ts';
import { makeWorld, startCore } from './world.ts';

/** What is put back after each break. */
const TABLES = ['locks', 'jobs', 'leases', 'experiences', 'experience_batches', 'events'];

/** The report, once memory was measured. */
async function report(core: Client): Promise<InvariantReport> {
  return until('a report with memory in it', async () => {
    const answer = invariantReportSchema.parse(await core.ok('GET', '/api/invariants'));
    return answer.checked.includes('I2') ? answer : null;
  });
}

test('after jobs that were completed, cancelled, preempted and failed, and a restart: all hold', async (t) => {
  const world = await makeWorld(t);
  const core = await startCore(world);
  await core.store(commands(60), 'batch');
  await core.store(commands(60), 'batch');
  for (const end of ['completed', 'failed', 'cancelled'] as const) {
    const { job_id } = await core.submit();
    await core.reaches(job_id, 'training');
    world.reactor.tell(job_id, 'preempted', { status: 'preempted', epoch: 1, attempt: 1 });
    await until('the next attempt', async () => (await core.job(job_id)).token !== null);
    await core.reaches(job_id, 'training');
    world.reactor.tell(job_id, end, { status: end, model_version: 'v0.1.0', error: 'it broke', metrics: {} });
    await core.reaches(job_id, end);
  }
  const waiting = await core.submit();
  await core.reaches(waiting.job_id, 'training');
  assert.deepEqual(await report(core), { checked: ['I1', 'I2', 'I3', 'I4'], broken: [] });
  await core.stop();
  assert.deepEqual((await report(await startCore(world))).broken, []);
});

test('each way in which the store may be broken is found', async (t) => {
  // One look at the start and no more: the coordinator would act on what is broken here.
  const world = await makeWorld(t, { RESOURCE_CHECK_INTERVAL: '3600' });
  const core = await startCore(world);
  await core.store(commands(5));
  const { job_id } = await core.submit();
  await core.reaches(job_id, 'training');
  world.reactor.complete(job_id);
  await core.reaches(job_id, 'completed');
  const now = Date.now() + 3_600_000;
  const breaks: [string, string, RegExp][] = [
    [
      'I1',
      `UPDATE locks SET state = 'held', holder = 'a', expires_at = ${now}, token = 9;
       INSERT INTO locks (name, state, holder, token, expires_at) VALUES ('training/1', 'held', 'b', 1, ${now})`,
      /2 slots are held \(by a, b\), 1 may be/,
    ],
    [
      'I1',
      `UPDATE jobs SET state = 'training', slot = 0, token = 8`,
      /works without holding slot 0 with token 8/,
    ],
    [
      'I2',
      `INSERT INTO leases (lease_id, holder, state, need_ram, need_vram, reason, requested_at, granted_at, expires_at)
       VALUES ('l', 'x', 'granted', 900719925474099, '{}', '', 1, 1, ${now})`,
      /900719925474099 bytes are reserved/,
    ],
    ['I3', 'DELETE FROM experiences WHERE seq = 3', /nlu from api: 5 counted .* 4 stored/],
    ['I3', 'UPDATE experience_batches SET stored = 6', /6 experiences were acknowledged, 5 are stored/],
    ['I4', `DELETE FROM events WHERE stream LIKE 'job/%' AND seq = 2`, /has \d+ events, the last is number/],
    [
      'I4',
      `UPDATE events SET data = replace(data, '"training"', '"completed"') WHERE stream LIKE 'job/%'`,
      /is completed and was told to end 2 times/,
    ],
    [
      'I4',
      `UPDATE events SET data = replace(data, '"completed"', '"training"') WHERE stream LIKE 'job/%'`,
      /is completed and was told to end 0 times/,
    ],
  ];
  const path = join(world.folder, 'jarvis-core/jarvis-core.db');
  for (const [invariant, sql, message] of breaks) {
    const db = new DatabaseSync(path, { timeout: 5_000 });
    db.exec(
      `ATTACH ':memory:' AS before; ${TABLES.map((n) => `CREATE TABLE before.${n} AS SELECT * FROM ${n}`).join(';')}`,
    );
    db.exec(`BEGIN; ${sql}; COMMIT`);
    const { broken } = await report(core);
    assert.ok(
      broken.some((b) => b.invariant === invariant && message.test(b.message)),
      `${sql}: ${JSON.stringify(broken)}`,
    );
    db.exec(
      `BEGIN; ${TABLES.map((n) => `DELETE FROM ${n}; INSERT INTO ${n} SELECT * FROM before.${n}`).join(';')}; COMMIT`,
    );
    db.close();
  }
  assert.deepEqual((await report(core)).broken, []);
});
