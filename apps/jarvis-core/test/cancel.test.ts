// A job is cancelled in each of its stages, ends once, and leaves neither slot nor lease behind.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { InvariantReport, Job, Lease, Lock } from '@jarvis/contracts';
import { until } from '@jarvis/testkit';
import { type Client, commands } from './client.ts';
import { makeWorld, startCore } from './world.ts';

const cancel = (core: Client, id: string): Promise<Job> => core.ok('POST', `/api/jobs/${id}/cancel`);

/** Cancelled once, for good, and told so once. */
async function assertCancelled(core: Client, id: string): Promise<void> {
  const job = await core.reaches(id, 'cancelled');
  assert.ok(job.ended_at !== null);
  const events = await core.stream(`/api/jobs/${id}/stream`);
  const ends = events.filter((e) => e.event === 'state' && (e.data as Job).state === 'cancelled');
  assert.equal(ends.length, 1);
  assert.equal((await cancel(core, id)).state, 'cancelled', 'asked again, it is still cancelled');
  const { locks } = await core.ok<{ locks: Lock[] }>('GET', '/api/locks');
  assert.deepEqual(
    locks.map((l) => l.state),
    ['free'],
  );
  const { leases } = await core.ok<{ leases: Lease[] }>('GET', '/api/leases');
  assert.deepEqual(
    leases.filter((l) => l.state !== 'released'),
    [],
  );
  const { broken } = await core.ok<InvariantReport>('GET', '/api/invariants');
  assert.deepEqual(broken, []);
}

test('queued: at once', async (t) => {
  const world = await makeWorld(t);
  await world.reactor.stop();
  const core = await startCore(world);
  await core.store(commands(3));
  const { job_id } = await core.submit();
  assert.equal((await cancel(core, job_id)).state, 'cancelled');
  await assertCancelled(core, job_id);
});

test('waiting for memory: at once, and J-Prime may have back what it gave', async (t) => {
  const world = await makeWorld(t, { TRAINING_MEMORY_RESERVE_GB: '99999.7' });
  const core = await startCore(world);
  await core.store(commands(3));
  const { job_id } = await core.submit();
  await core.reaches(job_id, 'waiting_for_memory');
  const [request] = await until('J-Prime to be asked for room', () =>
    world.prime.roomRequests.length > 0 ? world.prime.roomRequests : null,
  );
  assert.equal(request, `${(await core.job(job_id)).lease_id}-1`);
  const before = world.prime.restores;
  assert.equal((await cancel(core, job_id)).state, 'cancelled');
  await assertCancelled(core, job_id);
  await until('J-Prime to be told to restore', () => world.prime.restores > before);
});

test('starting, while Reactor Core does not say whether it took it: once it has, the run is cancelled', async (t) => {
  const world = await makeWorld(t);
  world.reactor.refusal = { status: 503, code: 'service_unavailable', detail: 'not now' };
  const core = await startCore(world);
  await core.store(commands(3));
  const { job_id } = await core.submit();
  await until('Reactor Core to be asked', () => world.reactor.starts.length > 0);
  const asked = await cancel(core, job_id);
  assert.equal(asked.state, 'starting');
  assert.match(asked.reason, /to be cancelled/);
  world.reactor.refusal = null;
  await assertCancelled(core, job_id);
  assert.deepEqual(world.reactor.cancels, [job_id]);
});

test('starting, and Reactor Core says that it has no slot: it does not go back to the queue', async (t) => {
  const world = await makeWorld(t);
  world.reactor.refusal = { status: 503, code: 'service_unavailable', detail: 'not now' };
  const core = await startCore(world);
  await core.store(commands(3));
  const { job_id } = await core.submit();
  await until('Reactor Core to be asked', () => world.reactor.starts.length > 0);
  await cancel(core, job_id);
  world.reactor.refusal = { status: 503, code: 'slot_busy', detail: 'another trains' };
  await assertCancelled(core, job_id);
});

test('training: through Reactor Core, also when it is away just then', async (t) => {
  const world = await makeWorld(t);
  const core = await startCore(world);
  await core.store(commands(3));
  const { job_id } = await core.submit();
  await core.reaches(job_id, 'training');
  await world.reactor.stop();
  assert.equal((await cancel(core, job_id)).state, 'training');
  await world.reactor.start();
  await assertCancelled(core, job_id);
  assert.deepEqual(world.reactor.cancels, [job_id]);
});

test('waiting for a retry: at once', async (t) => {
  const world = await makeWorld(t, { TRAINING_RETRY_DELAY: '3600' });
  const core = await startCore(world);
  await core.store(commands(3));
  const { job_id } = await core.submit();
  await core.reaches(job_id, 'training');
  const lost = { status: 'lost', epoch: 1, total_epochs: 10, loss: null, accuracy: null, attempt: 1 };
  world.reactor.tell(job_id, 'status', lost);
  const waiting = await core.reaches(job_id, 'queued');
  assert.ok(waiting.not_before !== null);
  await cancel(core, job_id);
  await assertCancelled(core, job_id);
});

test('ended already: refused, and it stays what it is', async (t) => {
  const world = await makeWorld(t);
  const core = await startCore(world);
  await core.store(commands(3));
  const done = await core.submit();
  await core.reaches(done.job_id, 'training');
  world.reactor.complete(done.job_id);
  await core.reaches(done.job_id, 'completed');
  world.reactor.refusal = { status: 422, code: 'unsupported_model_type', detail: 'no trainer for it' };
  const failed = await core.submit();
  const { error } = await core.reaches(failed.job_id, 'failed');
  assert.match(error ?? '', /no trainer for it/);
  for (const [id, state] of [
    [done.job_id, 'completed'],
    [failed.job_id, 'failed'],
  ] as const) {
    const problem = await core.refused('already_ended', 'POST', `/api/jobs/${id}/cancel`);
    assert.equal(problem.status, 409);
    assert.equal((await core.job(id)).state, state);
  }
});

test('cancelled at Reactor Core while its start is on its way: it is cancelled here too, not failed', async (t) => {
  const world = await makeWorld(t);
  world.reactor.refusal = { status: 409, code: 'already_ended', detail: 'it has ended meanwhile' };
  const core = await startCore(world);
  await core.store(commands(3));
  const { job_id } = await core.submit();
  await until('a start to be refused', () => world.reactor.starts.length > 0);
  world.reactor.refusal = null;
  await core.reaches(job_id, 'training');
  world.reactor.tell(job_id, 'cancelled', { status: 'cancelled' });
  await assertCancelled(core, job_id);
});
