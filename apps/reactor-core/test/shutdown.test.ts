// A shutdown asks trainers to checkpoint, or leaves them; either way nothing is started once it has begun.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exited } from '@jarvis/testkit';
import type { JobEvent } from './client.ts';
import { makeWorld } from './harness.ts';
import { until } from './until.ts';

const atCheckpoint = (event: JobEvent): boolean => event.name === 'checkpoint';

test('trainers=checkpoint: all have saved and are gone before the program ends; the jobs go on later', async (t) => {
  const world = await makeWorld(t);
  const reactor = await world.spawn();
  const body = world.body({ mode: 'held:2' });
  await reactor.start(body);
  await reactor.eventsUntil('job-1', atCheckpoint);
  assert.equal((await reactor.call('POST', '/api/shutdown?trainers=checkpoint')).status, 202);
  assert.equal(await exited(reactor.child), 0);
  assert.deepEqual(await world.trainers(), []);
  const again = await world.start();
  assert.equal((await again.status('job-1')).status, 'preempted');
  await world.release('job-1');
  await again.start({ ...body, fencing_token: 2 });
  assert.equal((await again.eventsToEnd('job-1')).at(-1)?.name, 'completed');
});

test('a job of our own is not resumed while another trainer still checkpoints', async (t) => {
  const env = { MAX_CONCURRENT_TRAINING_JOBS: '2', TRAINING_RETRY_DELAY: '0.01', TRAINER_STOP_GRACE: '4' };
  const world = await makeWorld(t, { env });
  const reactor = await world.start();
  await reactor.start(world.body({ mode: 'held', fencing_token: undefined }));
  await reactor.start(world.body({ job_id: 'job-2', mode: 'deaf', fencing_token: undefined }));
  for (const job of ['job-1', 'job-2']) await reactor.eventsUntil(job, atCheckpoint);
  await reactor.must202('/api/shutdown?trainers=checkpoint');
  await reactor.eventsUntil('job-1', (e) => e.name === 'preempted');
  // Past several looks at what may be resumed, until the deaf one is killed.
  await reactor.service.stopped;
  assert.deepEqual(await world.starts('job-1'), ['1']);
  assert.deepEqual(await world.trainers(), []);
});

test('a start that waits for memory when the shutdown begins brings no trainer about', async (t) => {
  const world = await makeWorld(t);
  const reactor = await world.start();
  world.core.grants = 'requested';
  const refused = reactor.problem('service_unavailable', [
    'POST',
    '/api/training/start',
    world.body({ fencing_token: undefined }),
  ]);
  await until('a lease to be asked for', () => world.core.leases.size === 1);
  await reactor.must202('/api/shutdown?trainers=checkpoint');
  world.core.settleLeases('granted');
  await refused;
  await reactor.service.stopped;
  assert.deepEqual(await world.trainers(), []);
  assert.ok(world.core.isClear, 'slot and lease are back');
});

test('stop is idempotent, and lets a home go', async (t) => {
  const world = await makeWorld(t);
  const reactor = await world.start();
  await Promise.all([reactor.stop(), reactor.stop()]);
  await reactor.stop();
  assert.equal((await (await world.start()).call('GET', '/health')).status, 200);
});

test('a shutdown takes no other word for what becomes of the trainers', async (t) => {
  const world = await makeWorld(t);
  const reactor = await world.start();
  await reactor.problem('invalid_request', ['POST', '/api/shutdown?trainers=kill']);
  assert.equal((await reactor.call('GET', '/health')).status, 200);
});
