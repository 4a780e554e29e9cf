// Trainers that die, babble, flood, lie or will not go: each run still ends once, and nobody else suffers.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeWorld, type World } from './harness.ts';
import { ShiftedClock } from './shifted-clock.ts';

async function lastEvent(world: World, mode: string, more: object = {}) {
  const reactor = await world.start();
  await reactor.start(world.body({ mode, last_attempt: true, ...more }));
  const events = await reactor.eventsToEnd('job-1');
  await world.untilNoTrainer();
  return { reactor, events, last: events.at(-1) };
}

test('a trainer that dies is lost with the reason, and a higher token takes its job up', async (t) => {
  const world = await makeWorld(t);
  const reactor = await world.start();
  const body = world.body({ mode: 'dying-once:2', epochs: 4 });
  await reactor.start(body);
  await reactor.eventsUntil('job-1', (e) => e.data['status'] === 'lost');
  const { status, error } = await reactor.status('job-1');
  assert.equal(status, 'lost');
  assert.match(error ?? '', /exited with code 3 and without a last word/);
  assert.equal((await reactor.start({ ...body, fencing_token: 2 })).attempt, 2);
  const events = await reactor.eventsToEnd('job-1');
  assert.equal(events.at(-1)?.name, 'completed');
  assert.deepEqual(
    events.map((e) => e.id),
    events.map((_, i) => i + 1),
  );
});

test('on its last attempt a dead trainer fails the job', async (t) => {
  const { last } = await lastEvent(await makeWorld(t), 'dying');
  assert.deepEqual([last?.name, last?.data['code']], ['failed', 'trainer_lost']);
});

test('a trainer that ends without a word is lost, whatever its exit code', async (t) => {
  const { last } = await lastEvent(await makeWorld(t), 'silent');
  assert.deepEqual([last?.name, last?.data['code']], ['failed', 'trainer_lost']);
  assert.match(String(last?.data['error']), /code 0 and without a last word/);
});

test('a program that cannot be started is said so', async (t) => {
  const world = await makeWorld(t, { env: { TRAINER_NLU_COMMAND: '/nowhere/trainer' } });
  const { last } = await lastEvent(world, 'steady');
  assert.match(String(last?.data['error']), /could not be started: .*ENOENT/);
});

test('a failure that trying again cannot mend ends the job with its code', async (t) => {
  const { last } = await lastEvent(await makeWorld(t), 'failing', { last_attempt: false });
  const { code, error } = last?.data ?? {};
  assert.deepEqual([last?.name, code, error], ['failed', 'out_of_memory', 'as asked']);
});

test('a failure that may pass leaves the job open for a higher token', async (t) => {
  const world = await makeWorld(t);
  const reactor = await world.start();
  const body = world.body({ mode: 'failing-for-now' });
  await reactor.start(body);
  await reactor.eventsUntil('job-1', (e) => e.data['status'] === 'lost');
  assert.match((await reactor.status('job-1')).error ?? '', /out_of_memory: as asked/);
  assert.equal((await reactor.start({ ...body, fencing_token: 2 })).attempt, 2);
  await reactor.must('POST', '/api/training/cancel/job-1');
});

test('lines that are no events of the run are left out, a foreign `completed` too', async (t) => {
  const { events } = await lastEvent(await makeWorld(t), 'babbling');
  const names = events.map((e) => e.name).join(' ');
  assert.equal(names, 'status status status checkpoint status checkpoint status completed');
  assert.deepEqual(
    events.map((e) => e.id),
    events.map((_, i) => i + 1),
  );
});

test('a flood of events is taken in whole and in order', async (t) => {
  const { events } = await lastEvent(await makeWorld(t), 'flooding', { epochs: 1 });
  assert.equal(events.length, 5_000 + 4);
  assert.ok(events.every((e, i) => e.id === i + 1));
  assert.equal(events.at(-1)?.name, 'completed');
});

test('a completed run without an artifact, or with a damaged one, fails and mints no version', async (t) => {
  for (const [mode, reason] of [
    ['empty-handed', /left no .*model\.json/],
    ['damaged', /weights has \d+ bytes, the manifest says \d+/],
  ] as const) {
    const { reactor, last } = await lastEvent(await makeWorld(t), mode);
    assert.deepEqual([last?.name, last?.data['code']], ['failed', 'artifact_invalid']);
    assert.match(String(last?.data['error']), reason);
    assert.deepEqual(await reactor.must('GET', '/api/models'), { models: {} });
  }
});

test('a trainer that has said its last word and stays is stopped, and its run counts', async (t) => {
  const world = await makeWorld(t);
  const reactor = await world.start({ clock: new ShiftedClock(50) });
  await reactor.start(world.body({ mode: 'lingering', epochs: 1 }));
  assert.equal((await reactor.eventsToEnd('job-1')).at(-1)?.name, 'completed');
  await world.untilNoTrainer();
});

test('what a dead trainer has started is gone before its slot is free', async (t) => {
  const world = await makeWorld(t);
  const reactor = await world.start();
  await reactor.start(world.body({ mode: 'parent', last_attempt: true }));
  await reactor.eventsToEnd('job-1');
  assert.deepEqual(await world.trainers(), []);
});
