// Trainers that die, babble, flood, lie or will not go: each run still ends once, and nobody else suffers.
import assert from 'node:assert/strict';
import { stat } from 'node:fs/promises';
import { test } from 'node:test';
import { TOLD_AT_ONCE_MAX } from '@jarvis/policy';
import { silentLogger } from '@jarvis/runtime';
import { makeWorld, type World } from './harness.ts';
import { ShiftedClock } from './shifted-clock.ts';
import { until } from './until.ts';

/** Seconds; longer than a trainer takes to say its first word, also on a machine that has much to do. */
const TRAINER_SILENCE_LIMIT = '5';
/** What `babbling` writes. */
const BAD_LINES = 11;

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

test('lines that are no events of the run are left out, a foreign `completed` too, and said once', async (t) => {
  const world = await makeWorld(t);
  const logger = silentLogger();
  const warned: string[] = [];
  logger.warn = (_: unknown, message?: unknown) => void warned.push(String(message));
  const ended: unknown[] = [];
  logger.info = (fields: unknown, message?: unknown) =>
    void (message === 'a run has ended' && ended.push((fields as { bad_lines: number }).bad_lines));
  const reactor = await world.start({ logger });
  await reactor.start(world.body({ mode: 'babbling' }));
  const events = await reactor.eventsToEnd('job-1');
  const names = events.map((e) => e.name).join(' ');
  assert.equal(names, 'status status status checkpoint status checkpoint status completed');
  assert.deepEqual(
    events.map((e) => e.id),
    events.map((_, i) => i + 1),
  );
  await until('the end to be logged', () => ended.length > 0);
  assert.deepEqual(ended, [BAD_LINES]);
  assert.equal(warned.filter((message) => message.includes('no events of this run')).length, 1);
});

test('an event whose first half ends within a character is one event', async (t) => {
  const { events } = await lastEvent(await makeWorld(t), 'stuttering');
  const paths = events.filter((e) => e.name === 'checkpoint').map((e) => String(e.data['checkpoint_path']));
  assert.equal(paths.filter((path) => path.endsWith('/é')).length, 1);
});

test('of two last words the second counts, in characters that every store takes', async (t) => {
  const { last } = await lastEvent(await makeWorld(t), 'speaking-twice');
  const { code, error } = last?.data ?? {};
  assert.deepEqual([last?.name, code, error], ['failed', 'a\ufffdb', 'again\ufffd\ufffd']);
});

test('of a flood of progress the latest is told, checkpoints and the last word are, and the run is where it is', async (t) => {
  const world = await makeWorld(t);
  const { reactor, events } = await lastEvent(world, 'flooding', { epochs: 4 });
  assert.ok(events.length < TOLD_AT_ONCE_MAX + 50, `${events.length} events`);
  assert.ok(events.every((e, i) => e.id === i + 1));
  const epochs = events.filter((e) => e.name === 'checkpoint').map((e) => e.data['epoch']);
  assert.deepEqual(epochs, [1, 2, 3]);
  assert.equal(events.at(-1)?.name, 'completed');
  assert.deepEqual((await reactor.status('job-1')).epoch, 4);
});

test('who writes without an end is stopped and fails, and others train meanwhile', async (t) => {
  const world = await makeWorld(t, { env: { MAX_CONCURRENT_TRAINING_JOBS: '2' } });
  const reactor = await world.start();
  await reactor.start(world.body({ mode: 'endless' }));
  await reactor.start(world.body({ job_id: 'job-2', slot: 1 }));
  assert.equal((await reactor.eventsToEnd('job-2')).at(-1)?.name, 'completed');
  const events = await reactor.eventsToEnd('job-1');
  const { code, error } = events.at(-1)?.data ?? {};
  assert.deepEqual([events.at(-1)?.name, code], ['failed', 'trainer_flooding']);
  assert.match(String(error), /more than 64 MiB of events/);
  assert.ok(events.length < 2 * TOLD_AT_ONCE_MAX, `${events.length} events`);
  await world.untilNoTrainer();
  const { size } = await stat(world.file('runs', 'job-1', 'attempt-1', 'events.ndjson'));
  assert.equal(size, 64 * 1024 ** 2, 'what nobody reads is not kept');
});

for (const mode of ['paused-once:2', 'stuck-once:2'])
  test(`a trainer that lives and is silent is stopped, lost, and goes on from its checkpoint: ${mode}`, async (t) => {
    const world = await makeWorld(t, { env: { TRAINER_SILENCE_LIMIT, TRAINER_STOP_GRACE: '2' } });
    const reactor = await world.start();
    const body = world.body({ mode, epochs: 4 });
    await reactor.start(body);
    await reactor.eventsUntil('job-1', (e) => e.data['status'] === 'lost');
    assert.deepEqual(await world.trainers(), [], 'its exit is confirmed before anybody hears of it');
    assert.match(
      (await reactor.status('job-1')).error ?? '',
      /no sign of life for \d+ s .*TRAINER_SILENCE_LIMIT/,
    );
    await reactor.start({ ...body, fencing_token: 2 });
    const events = await reactor.eventsToEnd('job-1');
    const second = events.filter((e) => e.data['attempt'] === 2 && e.data['status'] === 'running');
    assert.ok(Number(second[0]?.data['epoch']) > 0, 'not from the beginning');
    assert.equal(events.at(-1)?.name, 'completed');
  });

test('a job of our own whose trainer hangs is tried again by itself, and fails when its retries are used up', async (t) => {
  const env = { TRAINER_SILENCE_LIMIT, TRAINING_RETRY_LIMIT: '1', TRAINING_RETRY_DELAY: '0.1' };
  const world = await makeWorld(t, { env });
  const reactor = await world.start();
  await reactor.start(world.body({ mode: 'paused', fencing_token: undefined }));
  const { name, data } = (await reactor.eventsToEnd('job-1')).at(-1) ?? {};
  assert.deepEqual([name, data?.['code']], ['failed', 'trainer_lost']);
  assert.match(String(data?.['error']), /lost in 2 attempts: .*no sign of life/);
  assert.deepEqual(await world.starts('job-1'), ['1', '2']);
});

test('a trainer that is found stopped after a restart is given its whole patience, then ended', async (t) => {
  const world = await makeWorld(t, { env: { TRAINER_SILENCE_LIMIT: '1' } });
  const before = await world.start({ env: { TRAINER_SILENCE_LIMIT: '3600' } });
  await before.start(world.body({ mode: 'paused-once', last_attempt: true }));
  await before.eventsUntil('job-1', (e) => e.data['status'] === 'running');
  await before.stop();
  const reactor = await world.start();
  assert.equal((await reactor.status('job-1')).status, 'running');
  const { data } = (await reactor.eventsToEnd('job-1')).at(-1) ?? {};
  assert.equal(data?.['code'], 'trainer_silent');
});

test('a completed run without an artifact, or with a damaged one, fails and mints no version', async (t) => {
  for (const [mode, reason] of [
    ['empty-handed', /no .*model\.json is there/],
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
