// Memory leases over HTTP: granted on what is measured, kept while renewed, unconfirmed when silent, never counted twice.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Budget, BYTES_PER_GB, type InvariantReport, type Lease } from '@jarvis/contracts';
import { until } from '@jarvis/testkit';
import { type Client, commands } from './client.ts';
import { runOf } from './fixture-reactor.ts';
import { makeWorld, spawnCore, startCore } from './world.ts';

const ram = (gb: number) => ({ ram_bytes: Math.round(gb * BYTES_PER_GB), vram_bytes: {} });
const ask = (core: Client, holder: string, gb: number, why = 'a test'): Promise<Lease> =>
  core.ok('POST', '/api/leases', { holder, model_type: 'nlu', need: ram(gb), why });
const budget = (core: Client): Promise<Budget> => core.ok('GET', '/api/resources');
const renew = (core: Client, id: string): Promise<Lease> => core.ok('POST', `/api/leases/${id}/renew`);

async function reserved(core: Client, holder: string): Promise<number> {
  const { owned } = await budget(core);
  return owned.find((o) => o.owner === `training ${holder}`)?.reserved_bytes ?? 0;
}

test('asked for, granted once memory is measured, renewed, given back; each step is told on its stream', async (t) => {
  const core = await startCore(await makeWorld(t));
  const asked = await ask(core, 'job-1', 10);
  const stream = core.stream(`/api/leases/${asked.lease_id}/stream`);
  const granted = await core.leaseReaches(asked.lease_id, 'granted');
  assert.deepEqual(granted.need.ram_bytes, 10 * BYTES_PER_GB);
  assert.ok(granted.granted_at !== null && granted.expires_at !== null);
  assert.equal(await reserved(core, 'job-1'), 10 * BYTES_PER_GB);
  const renewed = await until('the renewal to reach further', async () => {
    const lease = await renew(core, asked.lease_id);
    return (lease.expires_at ?? '') > (granted.expires_at ?? '') ? lease : null;
  });
  assert.equal(renewed.state, 'granted');
  const released = await core.ok<Lease>('DELETE', `/api/leases/${asked.lease_id}`);
  assert.equal(released.state, 'released');
  assert.equal(await reserved(core, 'job-1'), 0);
  assert.equal((await core.ok<Lease>('DELETE', `/api/leases/${asked.lease_id}`)).state, 'released');
  const problem = await core.refused('lock_lost', 'POST', `/api/leases/${asked.lease_id}/renew`);
  assert.match(problem.detail, /released/);
  const events = await stream;
  assert.deepEqual(
    events.map((e) => [e.id, e.event]),
    [
      ['1', 'requested'],
      ['2', 'granted'],
      ['3', 'released'],
    ],
  );
});

test('without a need of its own, a lease has what its kind needs', async (t) => {
  const core = await startCore(await makeWorld(t));
  const lease = await core.ok<Lease>('POST', '/api/leases', { holder: 'job-1', model_type: 'llm' });
  assert.equal(lease.need.ram_bytes, 40 * BYTES_PER_GB);
});

test('two that fit only one by one: the second waits, says why, and has its turn', async (t) => {
  const core = await startCore(await makeWorld(t));
  const first = await ask(core, 'job-1', 60_000);
  await core.leaseReaches(first.lease_id, 'granted');
  const second = await ask(core, 'job-2', 60_000);
  const waiting = await until('the reason', async () => {
    const lease = await core.lease(second.lease_id);
    return /needs 60000\.00 GB and \d+\.\d\d GB of 100000\.00 GB can be given/.test(lease.reason)
      ? lease
      : null;
  });
  assert.ok(waiting.state === 'requested' || waiting.state === 'draining', waiting.state);
  await core.ok('DELETE', `/api/leases/${first.lease_id}`);
  await core.leaseReaches(second.lease_id, 'granted');
});

test('a need that is larger than the whole budget is refused, with the reason', async (t) => {
  const core = await startCore(await makeWorld(t));
  const { lease_id } = await ask(core, 'job-1', 200_000);
  const refused = await core.leaseReaches(lease_id, 'refused');
  assert.match(refused.reason, /needs 200000\.00 GB .*MAX_TOTAL_MEMORY_GB/);
  await core.refused('lock_lost', 'POST', `/api/leases/${lease_id}/renew`);
  const events = await core.stream(`/api/leases/${lease_id}/stream`);
  assert.deepEqual(
    events.map((e) => e.event),
    ['requested', 'refused'],
  );
});

test('a holder that asks again gets the lease that it has; with another need it is refused', async (t) => {
  const core = await startCore(await makeWorld(t));
  const [one, two] = [await ask(core, 'job-1', 10), await ask(core, 'job-1', 10)];
  assert.equal(two.lease_id, one.lease_id);
  await core.refused('job_conflict', 'POST', '/api/leases', {
    holder: 'job-1',
    model_type: 'nlu',
    need: ram(20),
  });
  await core.ok('DELETE', `/api/leases/${one.lease_id}`);
  assert.notEqual((await ask(core, 'job-1', 20)).lease_id, one.lease_id);
});

test('silent, a lease expires but keeps its memory, until Reactor Core says that no run holds it', async (t) => {
  const world = await makeWorld(t, { MEMORY_LEASE_TTL: '1' });
  world.reactor.strangers.push(runOf('job-1'));
  const core = await startCore(world);
  const { lease_id } = await ask(core, 'job-1', 10);
  await core.leaseReaches(lease_id, 'expired_unconfirmed');
  await core.refused('lock_lost', 'POST', `/api/leases/${lease_id}/renew`);
  const looks = world.reactor.looks;
  await until('Reactor Core to say that it lives', () => world.reactor.looks > looks + 3);
  assert.equal((await core.lease(lease_id)).state, 'expired_unconfirmed');
  assert.equal(await reserved(core, 'job-1'), 10 * BYTES_PER_GB);
  await world.reactor.stop();
  await until('Reactor Core to be missed', async () => {
    const peer = (await core.health()).peers?.['reactor-core'];
    return peer?.reachable === false;
  });
  assert.equal((await core.lease(lease_id)).state, 'expired_unconfirmed', 'nobody can say that it is free');
  assert.equal(await reserved(core, 'job-1'), 10 * BYTES_PER_GB);
  world.reactor.strangers.length = 0;
  await world.reactor.start();
  await core.leaseReaches(lease_id, 'released');
  assert.equal(await reserved(core, 'job-1'), 0);
  const events = await core.stream(`/api/leases/${lease_id}/stream`);
  assert.deepEqual(
    events.map((e) => e.event),
    ['requested', 'granted', 'expired', 'released'],
  );
});

test('a lease survives kill -9, and is counted before anything else is granted', async (t) => {
  const world = await makeWorld(t);
  const core = await spawnCore(world);
  const { lease_id } = await ask(core, 'job-1', 60_000);
  await core.leaseReaches(lease_id, 'granted');
  await core.kill();
  const again = await startCore(world);
  const second = await ask(again, 'job-2', 60_000);
  await until('the second to wait with its reason', async () =>
    /can be given/.test((await again.lease(second.lease_id)).reason),
  );
  assert.equal((await again.lease(lease_id)).state, 'granted');
  const { broken } = await again.ok<InvariantReport>('GET', '/api/invariants');
  assert.deepEqual(broken, []);
});

test('J-Prime gets back what it gave for a job, also when JARVIS Core was restarted in between', async (t) => {
  const world = await makeWorld(t, { TRAINING_MEMORY_RESERVE_GB: '99999.7' });
  const first = await startCore(world);
  await first.store(commands(3));
  const { job_id } = await first.submit();
  await until('J-Prime to be asked for room', () => world.prime.roomRequests.length > 0);
  await first.stop();
  const roomy = await startCore(world, { MAX_TOTAL_MEMORY_GB: '200000' });
  await roomy.reaches(job_id, 'training');
  await roomy.stop();
  const last = await startCore(world, { MAX_TOTAL_MEMORY_GB: '200000' });
  const before = world.prime.restores;
  world.reactor.complete(job_id);
  await last.reaches(job_id, 'completed');
  await until('J-Prime to be told to restore', () => world.prime.restores > before);
});

test('what does not fit is refused by name', async (t) => {
  const core = await startCore(await makeWorld(t));
  const wrong: [unknown, string][] = [
    [{ model_type: 'nlu' }, 'body.holder'],
    [{ holder: 'a' }, 'body.model_type'],
    [{ holder: 'a b', model_type: 'nlu' }, 'body.holder'],
    [{ holder: 'a', model_type: 'nlu', need: { ram_bytes: 1.5, vram_bytes: {} } }, 'body.need.ram_bytes'],
    [{ holder: 'a', model_type: 'nlu', needs: {} }, 'body'],
  ];
  for (const [body, path] of wrong) {
    const problem = await core.refused('invalid_request', 'POST', '/api/leases', body);
    assert.ok(
      problem.issues?.some((i) => i.path === path),
      JSON.stringify(problem.issues),
    );
  }
  for (const [method, path] of [
    ['GET', ''],
    ['GET', '/stream'],
    ['POST', '/renew'],
    ['DELETE', ''],
  ] as const)
    await core.refused('not_found', method, `/api/leases/nothing${path}`);
  assert.deepEqual((await core.ok<{ leases: Lease[] }>('GET', '/api/leases')).leases, []);
});
