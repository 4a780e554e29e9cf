// Starts without a token: Reactor Core takes slot and lease from JARVIS Core itself, and gives both back.
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { test } from 'node:test';
import { makeWorld } from './harness.ts';
import { until } from './until.ts';

const START = '/api/training/start';
const noToken = { fencing_token: undefined };

test('slot, then lease, are taken; at the end they go back in reverse', async (t) => {
  const world = await makeWorld(t);
  const reactor = await world.start();
  await reactor.start(world.body({ ...noToken, mode: 'held' }));
  assert.deepEqual(world.core.calls, ['acquire training/0', 'ask lease']);
  const [run] = await reactor.runs('?live=true');
  assert.deepEqual([run?.token, run?.slot, run?.lease_id], [1, 0, 'lease-1']);
  assert.equal(run?.need?.ram_bytes, 1024 ** 3);
  assert.equal(world.core.locks.get('training/0')?.holder, 'job-1');
  await world.release('job-1');
  await reactor.eventsToEnd('job-1');
  await until('slot and lease to be back', () => world.core.isClear);
  assert.deepEqual(world.core.calls.slice(2), ['release lease-1', 'release training/0']);
});

test('the same request again, at once or later, borrows and starts nothing more', async (t) => {
  const world = await makeWorld(t);
  const reactor = await world.start();
  const body = world.body(noToken);
  const [first, beside] = await Promise.all([reactor.start(body), reactor.start(body)]);
  assert.deepEqual(beside, first);
  await reactor.eventsToEnd('job-1');
  assert.deepEqual(await reactor.start(body), first);
  await until('slot and lease to be back', () => world.core.isClear);
  assert.equal(world.core.calls.filter((call) => call.startsWith('acquire')).length, 1);
  assert.deepEqual(await world.starts('job-1'), ['1']);
});

test('with JARVIS Core away nothing is started and nothing kept', async (t) => {
  const world = await makeWorld(t, { core: false });
  const reactor = await world.start();
  const answer = await reactor.call('POST', START, world.body(noToken));
  assert.equal(answer.status, 503);
  assert.equal((answer.body as { code: string }).code, 'service_unavailable');
  assert.deepEqual(await readdir(world.file('runs')), []);
  assert.deepEqual(await reactor.runs(), []);
  await reactor.problem('not_found', ['GET', '/api/training/status/job-1']);
  await world.core.start();
  assert.equal((await reactor.start(world.body(noToken))).status, 'started', 'the job_id was not used up');
  await reactor.eventsToEnd('job-1');
});

test('a slot that somebody else has is said with its holder, and no lease is asked for', async (t) => {
  const world = await makeWorld(t);
  const reactor = await world.start();
  world.core.take('training/0', 'nightly');
  const { active_job_id, retry_after_seconds } = await reactor.problem('slot_busy', [
    'POST',
    START,
    world.body(noToken),
  ]);
  assert.equal(active_job_id, 'nightly');
  assert.ok(Number(retry_after_seconds) > 0);
  assert.deepEqual(world.core.calls, ['acquire training/0']);
  assert.deepEqual(await readdir(world.file('runs')), []);
});

test('without memory the slot goes back, and the caller is told when to come again', async (t) => {
  const world = await makeWorld(t);
  const reactor = await world.start();
  world.core.grants = 'refused';
  const body = world.body(noToken);
  const { retry_after_seconds } = await reactor.problem('memory_unavailable', ['POST', START, body]);
  assert.ok(Number(retry_after_seconds) > 0);
  assert.ok(world.core.isClear);
  assert.deepEqual(await readdir(world.file('runs')), []);
});

test('a lease that is granted later is waited for', async (t) => {
  const world = await makeWorld(t);
  const reactor = await world.start();
  world.core.grants = 'requested';
  const started = reactor.start(world.body(noToken));
  await until('a lease to be asked for', () => world.core.leases.size === 1);
  world.core.settleLeases('granted');
  assert.equal((await started).attempt, 1);
  await reactor.eventsToEnd('job-1');
});

test('a job that is cancelled while its next attempt waits for memory is not started any more', async (t) => {
  const world = await makeWorld(t, { env: { TRAINING_RETRY_DELAY: '0.01' } });
  const reactor = await world.start();
  await reactor.start(world.body({ ...noToken, mode: 'held' }));
  await reactor.eventsUntil('job-1', (e) => e.name === 'checkpoint');
  world.core.grants = 'requested';
  await reactor.must('POST', '/api/training/preempt/job-1');
  await until('the next attempt to ask for memory', () => world.core.leases.size === 2);
  await reactor.must('POST', '/api/training/cancel/job-1');
  world.core.settleLeases('granted');
  await until('slot and lease to be back', () => world.core.isClear);
  const events = await reactor.eventsToEnd('job-1');
  assert.deepEqual(
    events.slice(-2).map((e) => e.name),
    ['preempted', 'cancelled'],
  );
  assert.deepEqual(await world.starts('job-1'), ['1']);
  assert.deepEqual(await reactor.runs('?live=true'), []);
});

test('a preempted job of our own comes back by itself, with a slot and a lease of its own', async (t) => {
  const world = await makeWorld(t, { env: { TRAINING_RETRY_DELAY: '0.01' } });
  const reactor = await world.start();
  await reactor.start(world.body({ ...noToken, mode: 'held:2', epochs: 3 }));
  await reactor.eventsUntil('job-1', (e) => e.name === 'checkpoint' && e.data['epoch'] === 2);
  await reactor.must('POST', '/api/training/preempt/job-1');
  const events = await reactor.eventsToEnd('job-1');
  assert.equal(events.at(-1)?.name, 'completed');
  assert.deepEqual(await world.starts('job-1'), ['1', '2']);
  await until('slots and leases to be back', () => world.core.isClear);
  assert.equal(world.core.locks.get('training/0')?.token, 2);
  assert.equal(world.core.leases.size, 2);
});

test('a job of our own that is lost again and again is failed after its retries', async (t) => {
  const world = await makeWorld(t, { env: { TRAINING_RETRY_DELAY: '0.01', TRAINING_RETRY_LIMIT: '1' } });
  const reactor = await world.start();
  await reactor.start(world.body({ ...noToken, mode: 'dying:3', checkpoint_enabled: false }));
  const last = (await reactor.eventsToEnd('job-1')).at(-1);
  assert.deepEqual([last?.name, last?.data['code']], ['failed', 'trainer_lost']);
  assert.match(String(last?.data['error']), /lost in 2 attempts: .*code 3/);
  assert.deepEqual(await world.starts('job-1'), ['1', '2']);
  await until('slots and leases to be back', () => world.core.isClear);
});

test('slot and lease are renewed; a slot lost to a newer token stops its trainer', async (t) => {
  const world = await makeWorld(t, { env: { TRAINING_LOCK_TTL: '1', AUTO_RESUME_FAILED_TRAINING: 'false' } });
  const reactor = await world.start();
  await reactor.start(world.body({ ...noToken, mode: 'held' }));
  await reactor.eventsUntil('job-1', (e) => e.name === 'checkpoint');
  await until('both to be renewed', () =>
    ['renew training/0', 'renew lease-1'].every((call) => world.core.calls.includes(call)),
  );
  world.core.take('training/0', 'nightly');
  await reactor.eventsUntil('job-1', (e) => e.name === 'preempted');
  await world.untilNoTrainer();
  assert.equal(world.core.locks.get('training/0')?.holder, 'nightly', 'what is not ours is not given back');
});

test('what could not be given back while JARVIS Core was away goes back when it is there again', async (t) => {
  const world = await makeWorld(t);
  const before = await world.start();
  await before.start(world.body({ ...noToken, mode: 'held' }));
  await world.core.stop();
  await world.release('job-1');
  assert.equal((await before.eventsToEnd('job-1')).at(-1)?.name, 'completed', 'the run goes on without it');
  await before.stop();
  await world.start();
  await world.core.start();
  await until('slot and lease to be back', () => world.core.isClear);
});

test('a lost attempt whose slot is not back yet is followed by one with a newer token', async (t) => {
  const world = await makeWorld(t, { env: { AUTO_RESUME_FAILED_TRAINING: 'false' } });
  const reactor = await world.start();
  const body = world.body({ ...noToken, mode: 'held' });
  await reactor.start(body);
  await reactor.eventsUntil('job-1', (e) => e.name === 'checkpoint');
  await world.core.stop();
  await world.killTrainers();
  await reactor.eventsUntil('job-1', (e) => e.data['status'] === 'lost');
  await world.core.start();
  assert.equal((await reactor.start(body)).attempt, 2);
  const [run] = await reactor.runs('?live=true');
  assert.equal(run?.token, 2);
});
