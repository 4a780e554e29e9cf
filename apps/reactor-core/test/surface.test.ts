// What Reactor Core tells about itself: health, resources, the description of its calls.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BYTES_PER_GB, CONTRACT_VERSION, healthSchema, machineResourcesSchema } from '@jarvis/contracts';
import { makeWorld } from './harness.ts';
import { until } from './until.ts';

test('health says who answers, since when, what trains and what is served', async (t) => {
  const world = await makeWorld(t);
  const reactor = await world.start();
  for (const path of ['/health', '/api/health']) {
    const health = healthSchema.strict().parse(await reactor.must('GET', path));
    assert.deepEqual([health.service, health.contract_version], ['reactor-core', CONTRACT_VERSION]);
    assert.deepEqual([health.pid, health.experience_buffer_size], [process.pid, 0]);
    assert.deepEqual([health.active_training_jobs, health.models_deployed], [0, {}]);
    assert.ok(health.uptime_seconds >= 0);
  }
  await reactor.start(world.body({ mode: 'held', auto_deploy: true }));
  const during = healthSchema.parse(await reactor.must('GET', '/health'));
  assert.equal(during.active_training_jobs, 1);
  await world.release('job-1');
  await reactor.eventsToEnd('job-1');
  await until('the version to be served', async () => {
    const { models_deployed } = healthSchema.parse(await reactor.must('GET', '/health'));
    return models_deployed['nlu'] === 'v0.1.0';
  });
});

test('it is healthy with JARVIS Core there, degraded without, and its home stays the same', async (t) => {
  const world = await makeWorld(t);
  const before = await world.start();
  const healthOf = async (from: typeof before) => healthSchema.parse(await from.must('GET', '/health'));
  await until('it to be healthy', async () => (await healthOf(before)).status === 'healthy');
  await world.core.stop();
  await until('it to be degraded', async () => (await healthOf(before)).status === 'degraded');
  const { peers, home_id, instance_id } = await healthOf(before);
  assert.deepEqual([Object.keys(peers ?? {}), peers?.['jarvis-core']?.reachable], [['jarvis-core'], false]);
  await before.stop();
  const after = await healthOf(await world.start());
  assert.equal(after.home_id, home_id);
  assert.notEqual(after.instance_id, instance_id);
});

test('resources have the fields of the contract, and what is reserved for whom', async (t) => {
  const world = await makeWorld(t);
  const reactor = await world.start();
  const read = async () => machineResourcesSchema.strict().parse(await reactor.must('GET', '/api/resources'));
  const idle = await read();
  assert.ok(idle.memory_usage_gb > 0 && idle.memory_usage_gb <= idle.memory_total_gb);
  assert.deepEqual([idle.gpu_memory_gb, idle.gpu_utilization_percent], [0, 0]);
  assert.deepEqual([idle.active_training_jobs, idle.reserved], [0, []]);
  const need = { host_id: 'here', ram_bytes: BYTES_PER_GB, vram_bytes: {} };
  await reactor.start(world.body({ mode: 'held', lease_id: 'lease-9', need }));
  const busy = await read();
  assert.equal(busy.active_training_jobs, 1);
  assert.deepEqual(busy.reserved, [{ job_id: 'job-1', lease_id: 'lease-9', need }]);
});

test('the description has every call, and each may answer with a problem', async (t) => {
  const reactor = await (await makeWorld(t)).start();
  interface Operation {
    readonly summary?: string;
    readonly responses: Readonly<Record<string, unknown>>;
  }
  const { openapi, paths } = (await reactor.must('GET', '/openapi.json')) as {
    openapi: string;
    paths: Record<string, Record<string, Operation>>;
  };
  assert.match(openapi, /^3\.1/);
  const calls = Object.entries(paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
  );
  for (const call of [
    'POST /api/training/start',
    'GET /api/training/stream/{job_id}',
    'GET /api/training/status/{job_id}',
    'POST /api/training/cancel/{job_id}',
    'POST /api/training/preempt/{job_id}',
    'GET /api/training/jobs',
    'POST /api/models/deploy',
    'POST /api/models/rollback',
    'POST /api/evidence',
    'POST /api/shutdown',
    'GET /api/models',
    'GET /api/models/{kind}/versions',
    'GET /api/models/{kind}/versions/{version}',
    'GET /api/artifacts/{sha256}',
    'GET /api/deployments',
    'GET /api/deployments/{id}',
    'POST /api/deployments/{id}/pause',
    'POST /api/deployments/{id}/resume',
    'POST /api/deployments/{id}/promote',
    'POST /api/deployments/{id}/abort',
    'GET /api/routes',
    'GET /api/routes/stream',
    'GET /health',
    'GET /api/health',
    'GET /api/resources',
  ])
    assert.ok(calls.includes(call), call);
  for (const operation of Object.values(paths).flatMap((path) => Object.values(path))) {
    assert.ok(operation.summary);
    assert.ok('default' in operation.responses, operation.summary);
  }
});
