// Who is there, what memory holds, and what each call looks like: the answers for people, supervisor and dashboard.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { budgetSchema, BYTES_PER_GB, MODEL_TYPES } from '@jarvis/contracts';
import { until } from '@jarvis/testkit';
import { commands } from './client.ts';
import { makeWorld, spawnCore, startCore } from './world.ts';

test('one answer shows the three services; one that goes away is missed, and seen again when it is back', async (t) => {
  const world = await makeWorld(t);
  const core = await startCore(world);
  await core.store(commands(5));
  const healthy = await until('all three to be seen', async () => {
    const health = await core.health();
    return health.status === 'healthy' ? health : null;
  });
  assert.equal(healthy.service, 'jarvis-core');
  assert.equal(healthy.pid, process.pid);
  assert.equal(healthy.experience_buffer_size, 5);
  assert.equal(healthy.outbox_pending, 0);
  assert.deepEqual(healthy.outbox, { pending: 0, oldest_age_seconds: null, refused: 0 });
  assert.deepEqual(healthy.models_deployed, { nlu: 'v0.1.0' });
  assert.deepEqual(Object.keys(healthy.peers ?? {}).sort(), ['j-prime', 'reactor-core']);
  await world.prime.stop();
  const degraded = await until('J-Prime to be missed', async () => {
    const health = await core.health();
    return health.status === 'degraded' ? health : null;
  });
  assert.equal(degraded.peers?.['j-prime']?.reachable, false);
  assert.match(degraded.peers?.['j-prime']?.detail ?? '', /does not answer/);
  assert.equal(degraded.peers?.['reactor-core']?.reachable, true);
  const missed = degraded.peers?.['j-prime'];
  assert.ok(Date.parse(missed?.since ?? '') >= Date.parse(healthy.peers?.['j-prime']?.since ?? ''));
  assert.ok((missed?.consecutive_failures ?? 0) > 0);
  assert.match(missed?.last_error ?? '', /J-Prime does not answer/);
  assert.equal(missed?.breaker, 'closed', 'probes go past it');
  await world.prime.start();
  await until('J-Prime to be seen again', async () => (await core.health()).status === 'healthy');
});

test('a job that trains is counted; a service that is switched off is not missed', async (t) => {
  const world = await makeWorld(t);
  const core = await startCore(world, { JARVIS_PRIME_ENABLED: 'false' });
  await core.store(commands(3));
  const { job_id } = await core.submit();
  await core.reaches(job_id, 'training');
  const health = await core.health();
  assert.equal(health.active_training_jobs, 1);
  assert.equal(health.status, 'healthy');
  assert.deepEqual(Object.keys(health.peers ?? {}), ['reactor-core']);
});

test('the home keeps its name, each start has one of its own', async (t) => {
  const world = await makeWorld(t);
  const first = await startCore(world);
  const before = await first.health();
  await first.stop();
  const after = await (await startCore(world)).health();
  assert.equal(after.home_id, before.home_id);
  assert.notEqual(after.instance_id, before.instance_id);
});

test('resources: the budget as measured, and why the next job waits; the next one is by class, not by time', async (t) => {
  const world = await makeWorld(t, { MEMORY_SAFETY_GB: '2.05' });
  await world.reactor.stop();
  const core = await startCore(world);
  const measured = await until('a measurement', async () => {
    const budget = budgetSchema.parse(await core.ok('GET', '/api/resources'));
    return budget.measured_at === null ? null : budget;
  });
  assert.equal(measured.budget_bytes, 100_000 * BYTES_PER_GB);
  assert.equal(measured.safety_bytes, Math.round(2.05 * BYTES_PER_GB));
  assert.deepEqual(measured.needs.map((n) => n.model_type).toSorted(), MODEL_TYPES.toSorted());
  assert.deepEqual(new Set(measured.needs.map((n) => n.why)), new Set(['nothing was learned yet']));
  assert.ok(measured.used_bytes > 0);
  assert.ok(measured.available_bytes < measured.budget_bytes - measured.safety_bytes);
  assert.ok((measured.owned.find((o) => o.owner === 'jarvis-core')?.measured_bytes ?? 0) > 0);
  assert.equal(measured.next_job_waits, null);
  await core.store([
    ...commands(3),
    { type: 'vision', input: { image_path: 'a.png' }, expected_output: { label: 'cat' } },
  ]);
  const need = { ram_bytes: 200_000 * BYTES_PER_GB, vram_bytes: {} };
  await core.submit({ model_type: 'vision' });
  await core.submit({ model_type: 'nlu', need });
  await until('the reason of the nlu job', async () => {
    const budget = budgetSchema.parse(await core.ok('GET', '/api/resources'));
    return /MAX_TOTAL_MEMORY_GB/.test(budget.next_job_waits ?? '');
  });
});

test('every route is described, problems too', async (t) => {
  const core = await startCore(await makeWorld(t));
  const document = await core.ok<{
    openapi: string;
    paths: Record<string, Record<string, { summary?: string; responses: Record<string, unknown> }>>;
  }>('GET', '/openapi.json');
  assert.match(document.openapi, /^3\.1/);
  const described = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  const named = ['GET /health', 'POST /api/experiences', 'GET /api/experiences/stats', 'POST /api/command'];
  named.push('POST /api/feedback', 'POST /api/jobs', 'GET /api/jobs', 'GET /api/jobs/{id}');
  named.push('GET /api/jobs/{id}/stream', 'POST /api/jobs/{id}/cancel', 'POST /api/locks/{name}/acquire');
  named.push('POST /api/locks/{name}/renew', 'POST /api/locks/{name}/release', 'GET /api/locks');
  named.push('POST /api/leases', 'POST /api/leases/{id}/renew', 'DELETE /api/leases/{id}', 'GET /api/leases');
  named.push('GET /api/leases/{id}', 'GET /api/leases/{id}/stream', 'GET /api/resources');
  named.push('GET /api/datasets/{sha256}', 'GET /api/invariants', 'POST /api/shutdown');
  assert.deepEqual(
    named.filter((n) => !described.includes(n)),
    [],
  );
  for (const [path, methods] of Object.entries(document.paths))
    for (const [method, operation] of Object.entries(methods)) {
      assert.ok(operation.summary, `${method} ${path} has no summary`);
      assert.ok(operation.responses['default'], `${method} ${path} tells no problem`);
    }
  await core.refused('not_found', 'GET', '/api/nothing');
});

test('asked to shut down, the program ends by itself with 0; a second one in the same home does not start', async (t) => {
  const world = await makeWorld(t);
  const core = await spawnCore(world);
  await assert.rejects(startCore(world), { code: 'service_unavailable', message: /uses this home/ });
  const answer = await core.call('POST', '/api/shutdown');
  assert.equal(answer.status, 202);
  const code = await new Promise((resolve) =>
    core.child.exitCode === null ? core.child.once('exit', resolve) : resolve(core.child.exitCode),
  );
  assert.equal(code, 0, core.output());
});

test('a port that is taken is said so, and the start that failed leaves nothing running', async (t) => {
  const world = await makeWorld(t);
  const taken = new URL(world.prime.url).port;
  await assert.rejects(startCore(world, { JARVIS_PORT: taken }), {
    code: 'service_unavailable',
    message: /is taken by another program.*JARVIS_PORT/,
  });
  // Whatever it had begun would keep this process from ending; the home it had locked would keep the next from starting.
  assert.equal((await (await startCore(world)).health()).service, 'jarvis-core');
});
