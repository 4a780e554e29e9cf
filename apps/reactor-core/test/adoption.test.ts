// Reactor Core goes and comes back while trainers run: none is started twice, and no event is lost or doubled.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exited } from '@jarvis/testkit';
import type { JobEvent } from './client.ts';
import { makeWorld, type World } from './harness.ts';
import { until } from './until.ts';

const atCheckpoint = (event: JobEvent): boolean => event.name === 'checkpoint';

function checkWhole(events: readonly JobEvent[]): void {
  assert.deepEqual(
    events.map((e) => e.id),
    events.map((_, i) => i + 1),
  );
  const told = events.filter((e) => e.data['status'] === 'running' && e.data['loss'] !== null);
  const epochs = told.map((e) => e.data['epoch']);
  assert.deepEqual(epochs, [1, 2, 3], 'each epoch is told once');
  assert.equal(events.filter((e) => e.name === 'completed').length, 1);
  assert.equal(events.at(-1)?.name, 'completed');
}

async function comesBack(world: World): Promise<void> {
  const reactor = await world.start();
  const [run] = await reactor.runs('?live=true');
  assert.deepEqual([run?.job_id, run?.attempt], ['job-1', 1]);
  assert.deepEqual(await world.trainers(), [run?.pid]);
  assert.equal((await reactor.start(world.body({ mode: 'held:2' }))).attempt, 1, 'the same request, again');
  await world.release('job-1');
  checkWhole(await reactor.eventsToEnd('job-1'));
  assert.deepEqual(await world.starts('job-1'), ['1']);
}

test('stopped and started again in one process, the trainer is followed on', async (t) => {
  const world = await makeWorld(t);
  const reactor = await world.start();
  await reactor.start(world.body({ mode: 'held:2' }));
  await reactor.eventsUntil('job-1', atCheckpoint);
  await reactor.stop();
  assert.equal((await world.trainers()).length, 1);
  await comesBack(world);
});

test('killed, the trainer is found by the next one', async (t) => {
  const world = await makeWorld(t);
  const reactor = await world.spawn();
  await reactor.start(world.body({ mode: 'held:2' }));
  await reactor.eventsUntil('job-1', atCheckpoint);
  await reactor.kill();
  await comesBack(world);
});

test('shut down with trainers=leave, the program ends and the trainer does not', async (t) => {
  const world = await makeWorld(t);
  const reactor = await world.spawn();
  await reactor.start(world.body({ mode: 'held:2' }));
  await reactor.eventsUntil('job-1', atCheckpoint);
  assert.equal((await reactor.call('POST', '/api/shutdown?trainers=leave')).status, 202);
  assert.equal(await exited(reactor.child), 0);
  await comesBack(world);
});

test('what a trainer did while nobody was there is told afterwards', async (t) => {
  const world = await makeWorld(t);
  const before = await world.start();
  await before.start(world.body({ mode: 'held' }));
  const seen = await before.eventsUntil('job-1', atCheckpoint);
  await before.stop();
  await world.release('job-1');
  await world.untilNoTrainer();
  const reactor = await world.start();
  const rest = await reactor.eventsToEnd('job-1', seen.at(-1)?.id);
  checkWhole([...seen, ...rest]);
  assert.equal((await reactor.status('job-1')).model_version, 'v0.1.0');
});

test('a trainer that died while nobody was there is lost, and a higher token takes its job up', async (t) => {
  const world = await makeWorld(t);
  const before = await world.spawn();
  const body = world.body({ mode: 'held:2' });
  await before.start(body);
  await before.eventsUntil('job-1', (e) => atCheckpoint(e) && e.data['epoch'] === 2);
  await before.kill();
  await world.killTrainers();
  const reactor = await world.start();
  const { status, error } = await reactor.status('job-1');
  assert.equal(status, 'lost', 'known as soon as it answers');
  assert.match(error ?? '', /died while Reactor Core was away/);
  await world.release('job-1');
  assert.equal((await reactor.start({ ...body, fencing_token: 2 })).attempt, 2);
  checkWhole(await reactor.eventsToEnd('job-1'));
});

test('a trainer that had not claimed its run yet can never claim it afterwards', async (t) => {
  const world = await makeWorld(t);
  const before = await world.spawn();
  await before.start(world.body({ mode: 'slow' }));
  await until('the trainer to live', async () => (await world.starts('job-1')).length === 1);
  await before.kill();
  const reactor = await world.start();
  assert.deepEqual(await world.trainers(), [], 'it was stopped');
  assert.equal((await reactor.status('job-1')).status, 'lost');
  await world.release('job-1');
  assert.equal((await reactor.start(world.body({ mode: 'slow', fencing_token: 2 }))).attempt, 2);
  assert.equal((await reactor.eventsToEnd('job-1')).at(-1)?.name, 'completed');
});

test('a stop that was asked for before a crash is carried out after it', async (t) => {
  const world = await makeWorld(t, { env: { TRAINER_STOP_GRACE: '2' } });
  const before = await world.spawn();
  await before.start(world.body({ mode: 'deaf' }));
  await before.eventsUntil('job-1', atCheckpoint);
  const cancelled = before.call('POST', '/api/training/cancel/job-1').catch(() => undefined);
  await until('the trainer to be asked', async () => (await world.terms('job-1')).length > 0);
  await before.kill();
  await cancelled;
  const reactor = await world.start();
  assert.equal((await reactor.eventsToEnd('job-1')).at(-1)?.name, 'cancelled');
  await world.untilNoTrainer();
});

test('two Reactor Cores never have one home', async (t) => {
  const world = await makeWorld(t);
  await world.start();
  await assert.rejects(world.start({ env: { REACTOR_CORE_PORT: '1' } }), { code: 'service_unavailable' });
});
