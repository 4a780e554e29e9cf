// Memory given away and taken back, and what is told of it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { primeResourcesSchema, restoreResponseSchema } from '@jarvis/contracts';
import { fixtureModel } from './fixture-models.ts';
import { makeWorld, startPrime, until } from './harness.ts';

const v1 = fixtureModel({ version: 'v0.1.0', intent: 'one' });
const v2 = fixtureModel({ version: 'v0.2.0', intent: 'two' });
const v3 = fixtureModel({ version: 'v0.3.0', intent: 'three' });

test('what is not routed is unloaded for others, once for each request, and loaded again afterwards', async () => {
  const world = await makeWorld();
  const prime = await startPrime(world);
  world.reactor.route(v1);
  await prime.serves('v0.1.0');
  const refused = await prime.makeRoom('lease-0');
  assert.equal(refused.state, 'refused');
  assert.match(refused.reason, /routed/);
  world.reactor.route(v2);
  await prime.serves('v0.2.0');

  const [made, same] = await Promise.all([prime.makeRoom('lease-1'), prime.makeRoom('lease-1')]);
  assert.deepEqual(same, made);
  assert.equal(made.state, 'done');
  assert.deepEqual(
    made.steps.map((s) => s.state),
    ['done'],
  );
  assert.match(made.steps[0]?.what ?? '', /nlu v0\.1\.0/);
  assert.ok(made.freed_bytes >= 0);
  assert.deepEqual((await prime.call('GET', '/api/memory/make-room/lease-1')).body, made);
  assert.deepEqual(await prime.makeRoom('lease-1'), made, 'asked again later');
  assert.deepEqual(
    (await prime.resources()).models.map((m) => m.version),
    ['v0.2.0'],
  );
  assert.equal((await prime.predict('hello')).version, 'v0.2.0');

  world.reactor.route(v3);
  await prime.serves('v0.3.0');
  await until('nothing unrouted to stay while memory is lent', async () =>
    (await prime.resources()).models.every((m) => m.version === 'v0.3.0'),
  );
  const restored = await prime.call('POST', '/api/memory/restore', {});
  assert.deepEqual(restoreResponseSchema.parse(restored.body), { restored: ['nlu v0.1.0'] });
  assert.deepEqual((await prime.call('POST', '/api/memory/restore', {})).body, { restored: [] });
});

test('requests for room that make no sense are refused', async () => {
  const world = await makeWorld();
  const prime = await startPrime(world);
  const path = '/api/memory/make-room';
  const request = { request_id: 'lease-1', bytes: 1, by: '2999-01-01T00:00:00Z', why: 'a test' };
  assert.equal((await prime.problem(path, { ...request, by: 'soon' })).code, 'invalid_request');
  assert.equal((await prime.problem(path, { ...request, bytes: -1 })).code, 'invalid_request');
  assert.equal((await prime.call('POST', path, request)).status, 200);
  assert.equal((await prime.problem(path, { ...request, bytes: 2 })).code, 'idempotency_conflict');
  assert.equal((await prime.call('GET', `${path}/nobody`)).status, 404);
});

test('resources and readiness are told as they are', async () => {
  const world = await makeWorld();
  const prime = await startPrime(world);
  assert.equal((await prime.call('GET', '/v2/models/nlu/ready')).status, 503);
  world.reactor.route(v1, { model: v2, weight: 0.5 });
  await prime.serves('v0.1.0');
  await prime.waitForState('v0.2.0', 'ready');
  await prime.serves('v0.1.0');
  await prime.predict('hello');
  const resources = primeResourcesSchema.parse((await prime.call('GET', '/api/resources')).body);
  assert.ok(resources.memory_usage_gb > 0.02 && resources.memory_usage_gb < 4);
  assert.equal(resources.active_requests, 0);
  assert.ok(resources.idle_seconds >= 0);
  assert.deepEqual(
    resources.models.map((m) => `${m.version} ${m.role} ${m.state}`),
    ['v0.1.0 stable ready', 'v0.2.0 candidate ready'],
  );
  assert.deepEqual((await prime.call('GET', '/v2/health/live')).body, { live: true });
  assert.deepEqual((await prime.call('GET', '/v2/health/ready')).body, { ready: true });
  assert.equal((await prime.call('GET', '/v2/models/nlu/ready')).status, 200);
  assert.equal((await prime.call('GET', '/v2/models/nlu/versions/v0.2.0/ready')).status, 200);
  assert.equal((await prime.call('GET', '/v2/models/nlu/versions/v9.9.9/ready')).status, 404);
  const index = (await prime.call('GET', '/v2/repository/index')).body as { version: string }[];
  assert.deepEqual(
    index.map((m) => m.version),
    ['v0.1.0', 'v0.2.0'],
  );
});
