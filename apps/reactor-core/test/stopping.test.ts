// Status, cancel, preempt: what is answered, and what becomes of trainer and job.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeWorld } from './harness.ts';

test('the status of a job has the fields of the contract, from its start to its end', async (t) => {
  const world = await makeWorld(t);
  const reactor = await world.start();
  await reactor.problem('not_found', ['GET', '/api/training/status/job-1']);
  await reactor.start(world.body({ mode: 'held:2' }));
  await reactor.eventsUntil('job-1', (e) => e.name === 'checkpoint' && e.data['epoch'] === 2);
  const running = await reactor.status('job-1');
  const { started_at, ...rest } = running;
  assert.ok(typeof started_at === 'number' && started_at > 1e9, 'seconds since the epoch');
  assert.deepEqual(rest, {
    job_id: 'job-1',
    status: 'running',
    epoch: 2,
    total_epochs: 3,
    loss: 0.5,
    accuracy: 2 / 3,
    metrics: {},
    model_version: null,
    error: null,
    completed_at: null,
  });
  await world.release('job-1');
  await reactor.eventsToEnd('job-1');
  const { status, epoch, model_version, completed_at } = await reactor.status('job-1');
  assert.deepEqual([status, epoch, model_version], ['completed', 3, 'v0.1.0']);
  assert.ok(Number(completed_at) >= started_at);
});

test('cancel ends a running job once its trainer is gone; again it says the same', async (t) => {
  const world = await makeWorld(t);
  const reactor = await world.start();
  await reactor.start(world.body({ mode: 'held' }));
  await reactor.eventsUntil('job-1', (e) => e.name === 'checkpoint');
  const cancel = () => reactor.call('POST', '/api/training/cancel/job-1');
  const [first, beside] = await Promise.all([cancel(), cancel()]);
  assert.deepEqual(await world.trainers(), [], 'the exit is confirmed before the answer');
  for (const { status, body } of [first, beside, await cancel()]) {
    assert.equal(status, 200);
    const { job_id, status: said, message, ...more } = body as Record<string, unknown>;
    assert.deepEqual([job_id, said, more], ['job-1', 'cancelled', {}]);
    assert.equal(typeof message, 'string');
  }
  const events = await reactor.eventsToEnd('job-1');
  const { peak_ram_bytes, ...cancelled } = events.at(-1)?.data ?? {};
  assert.deepEqual(cancelled, { job_id: 'job-1', status: 'cancelled' });
  assert.ok(peak_ram_bytes === null || Number(peak_ram_bytes) > 0);
  assert.equal(events.filter((e) => e.name === 'cancelled').length, 1);
  assert.equal((await reactor.status('job-1')).status, 'cancelled');
});

test('a trainer that is deaf to SIGTERM is killed, and the job is cancelled', async (t) => {
  const world = await makeWorld(t, { env: { TRAINER_STOP_GRACE: '0.2' } });
  const reactor = await world.start();
  await reactor.start(world.body({ mode: 'deaf' }));
  await reactor.eventsUntil('job-1', (e) => e.name === 'checkpoint');
  await reactor.must('POST', '/api/training/cancel/job-1');
  assert.deepEqual(await world.trainers(), []);
  assert.equal((await world.terms('job-1')).length, 1, 'it was asked first');
  assert.equal((await reactor.eventsToEnd('job-1')).at(-1)?.name, 'cancelled');
});

test('what has ended cannot be cancelled or preempted, and what is unknown neither', async (t) => {
  const world = await makeWorld(t);
  const reactor = await world.start();
  await reactor.start(world.body({}));
  await reactor.eventsToEnd('job-1');
  for (const what of ['cancel', 'preempt']) {
    await reactor.problem('already_ended', ['POST', `/api/training/${what}/job-1`]);
    await reactor.problem('not_found', ['POST', `/api/training/${what}/nobody`]);
  }
  assert.equal((await reactor.status('job-1')).status, 'completed');
});

test('a trainer that is slow to be ready can be cancelled before it says a word', async (t) => {
  const world = await makeWorld(t);
  const reactor = await world.start();
  await reactor.start(world.body({ mode: 'slow' }));
  assert.equal((await reactor.status('job-1')).status, 'accepted');
  await reactor.must('POST', '/api/training/cancel/job-1');
  const events = await reactor.eventsToEnd('job-1');
  assert.equal(events.at(-1)?.name, 'cancelled');
  await world.untilNoTrainer();
});

test('a preempted job goes on from its checkpoint under a higher token, in the same stream', async (t) => {
  const world = await makeWorld(t);
  const reactor = await world.start();
  const body = world.body({ mode: 'held:2', epochs: 4 });
  await reactor.start(body);
  const stream = reactor.eventsToEnd('job-1');
  await reactor.eventsUntil('job-1', (e) => e.name === 'checkpoint' && e.data['epoch'] === 2);
  const { body: answer } = await reactor.call('POST', '/api/training/preempt/job-1');
  assert.deepEqual(Object.keys(answer as object).sort(), ['job_id', 'message', 'status']);
  assert.deepEqual(await world.trainers(), []);
  assert.equal((await reactor.status('job-1')).status, 'preempted');
  assert.equal((await reactor.start(body)).attempt, 1, 'the same token starts nothing');
  assert.equal((await reactor.start({ ...body, fencing_token: 2 })).attempt, 2);
  const events = await stream;
  assert.deepEqual(
    events.map((e) => e.id),
    events.map((_, i) => i + 1),
    'one reader heard all of it: `preempted` did not end its stream',
  );
  const preempted = events.find((e) => e.name === 'preempted');
  const { peak_ram_bytes: _, ...told } = preempted?.data ?? {};
  const asked = { status: 'preempted', epoch: 2, attempt: 1, token: 1, cause: 'asked' };
  assert.deepEqual(told, { job_id: 'job-1', ...asked });
  const second = events.filter((e) => e.data['attempt'] === 2 && e.data['status'] === 'running');
  assert.deepEqual(
    second.map((e) => e.data['epoch']),
    [2, 3, 4],
    'taken up at its checkpoint',
  );
  assert.equal(events.at(-1)?.name, 'completed');
});

test('a preempted job can be cancelled while no trainer of it runs', async (t) => {
  const world = await makeWorld(t);
  const reactor = await world.start();
  const body = world.body({ mode: 'held' });
  await reactor.start(body);
  await reactor.eventsUntil('job-1', (e) => e.name === 'checkpoint');
  await reactor.must('POST', '/api/training/preempt/job-1');
  await reactor.must('POST', '/api/training/preempt/job-1');
  await reactor.must('POST', '/api/training/cancel/job-1');
  const events = await reactor.eventsToEnd('job-1');
  assert.deepEqual(
    events.slice(-2).map((e) => e.name),
    ['preempted', 'cancelled'],
  );
  assert.equal((await reactor.start({ ...body, fencing_token: 2 })).attempt, 1, 'what is cancelled stays so');
  assert.deepEqual(await world.starts('job-1'), ['1']);
});

test('live=true gives only the runs that live', async (t) => {
  const world = await makeWorld(t);
  const reactor = await world.start();
  await reactor.start(world.body({}));
  await reactor.eventsToEnd('job-1');
  await reactor.start(world.body({ job_id: 'job-2', mode: 'held', fencing_token: 2 }));
  assert.deepEqual(
    (await reactor.runs()).map((r) => r.job_id),
    ['job-2', 'job-1'],
  );
  assert.deepEqual(
    (await reactor.runs('?live=false')).map((r) => r.job_id),
    ['job-2', 'job-1'],
  );
  const [live, ...others] = await reactor.runs('?live=true');
  assert.deepEqual(others, []);
  assert.ok(live?.pid != null && (await world.trainers()).includes(live.pid));
  const { issues } = await reactor.problem('invalid_request', ['GET', '/api/training/jobs?live=maybe']);
  assert.equal(issues?.[0]?.path, 'querystring.live');
});
