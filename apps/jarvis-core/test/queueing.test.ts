// Who joins whom, who gives way, who is held back and who has waited too long, over the real store.
import assert from 'node:assert/strict';
import { jobStream } from '../src/store/jobs.ts';
import { BREAKER, lost, runEvent, setUp, submission, test, training } from './coordinator-world.ts';

type World = Awaited<ReturnType<typeof setUp>>;

async function look(s: World): Promise<void> {
  s.coordinator.post({ type: 'look' });
  await s.coordinator.idle();
}

/** Starts whatever is to be started. */
async function startAll(s: World): Promise<void> {
  for (const { jobId, token } of s.work().start)
    s.coordinator.post({ type: 'run_started', jobId, token: token ?? -1 });
  await s.coordinator.idle();
}

test('what is asked for in the same way joins; what differs is a job of its own', async (t) => {
  const s = await setUp(t);
  const first = await s.coordinator.submit(submission);
  const same = await s.coordinator.submit(submission);
  assert.deepEqual([same.jobId, same.joined], [first.jobId, true]);
  const others = [
    { ...submission, epochs: 3 },
    { ...submission, config: { learning_rate: 0.5 } },
    { ...submission, auto_deploy: false },
    { ...submission, need: { ram_bytes: 5, vram_bytes: {} } },
  ];
  for (const other of others) {
    const { jobId, joined } = await s.coordinator.submit(other);
    assert.equal(joined, false);
    assert.deepEqual(await s.coordinator.submit(other), { jobId, joined: true });
  }
});

test('in a long queue each job is told where it stands, and no job that has ended is told anything', async (t) => {
  const s = await setUp(t);
  const ended = await s.coordinator.submit(submission);
  await s.coordinator.cancel(ended.jobId);
  const reasons = Array.from({ length: 250 }, (_, i) => ({ jobId: `j${i}`, reason: i < 3 ? `${i}` : 'far' }));
  for (const { jobId } of reasons) await s.queue.submit({ ...submission, job_id: jobId }, s.clock.now());
  await s.queue.explain([...reasons, { jobId: ended.jobId, reason: 'far' }]);
  const { jobs } = await s.queue.load();
  assert.deepEqual(jobs.map(({ jobId, reason }) => ({ jobId, reason })).toSorted(byNumber), reasons);
  assert.equal((await s.job(ended.jobId))?.reason, 'cancelled before it started');
});

function byNumber(a: { jobId: string }, b: { jobId: string }): number {
  return Number(a.jobId.slice(1)) - Number(b.jobId.slice(1));
}

test('a trigger joins whatever waits of its kind', async (t) => {
  const s = await setUp(t);
  const { jobId } = await s.coordinator.submit({ ...submission, epochs: 3 });
  assert.deepEqual(await s.coordinator.submit({ ...submission, source: 'experiences' }), {
    jobId,
    joined: true,
  });
});

test('who joins lends its class, and takes none away; the stream tells', async (t) => {
  const s = await setUp(t);
  const { jobId } = await s.coordinator.submit(submission);
  await s.coordinator.submit({ ...submission, priority: 'low' });
  assert.equal((await s.job(jobId))?.priority, 'high');
  await s.coordinator.submit({ ...submission, priority: 'critical' });
  assert.equal((await s.job(jobId))?.priority, 'critical');
  assert.deepEqual(
    (await s.events.read(jobStream(jobId), 0)).map((e) => e.type),
    ['state', 'progress'],
  );
});

test('a job_id means one request: the same again is it, another is refused', async (t) => {
  const s = await setUp(t);
  const named = { ...submission, job_id: 'nightly', epochs: 4 };
  await s.coordinator.submit(named);
  assert.deepEqual(await s.coordinator.submit(named), { jobId: 'nightly', joined: true });
  const leftOpen = { ...submission, job_id: 'nightly' };
  assert.deepEqual(await s.coordinator.submit(leftOpen), { jobId: 'nightly', joined: true });
  for (const other of [{ epochs: 5 }, { config: { batch_size: 1 } }, { model_type: 'vision' as const }])
    await assert.rejects(s.coordinator.submit({ ...named, ...other }), { code: 'job_conflict' });
});

test('a training gives way to a higher class, comes back by itself, and keeps its place and its retries', async (t) => {
  const s = await setUp(t);
  await s.ready();
  const low = await training(s);
  const before = await s.job(low);
  const { jobId: high } = await s.coordinator.submit({ ...submission, model_type: 'voice' });
  await s.coordinator.idle();
  assert.equal((await s.job(low))?.state, 'training', 'it has just begun');
  s.clock.advance(30_000);
  await s.ready();
  assert.equal((await s.job(low))?.state, 'preempting');
  assert.match((await s.job(low))?.reason ?? '', new RegExp(`voice job ${high} is critical`));
  assert.deepEqual(
    [s.work().preempt, s.work().follow].map((jobs) => jobs.map((j) => j.jobId)),
    [[low], [low]],
  );
  s.coordinator.post(runEvent(low, 1, 'preempted', { status: 'preempted', attempt: 1 }));
  await s.coordinator.idle();
  assert.deepEqual([(await s.job(low))?.state, (await s.job(high))?.state], ['queued', 'starting']);
  await startAll(s);
  s.coordinator.post(runEvent(high, 1, 'completed', { status: 'completed', model_version: '1.0.0' }));
  await s.coordinator.idle();
  const after = await s.job(low);
  assert.deepEqual(
    [after?.state, after?.attempt, after?.submitted_at],
    ['starting', before?.attempt, before?.submitted_at],
  );
});

test('what is told to give way and fails instead has failed', async (t) => {
  const s = await setUp(t);
  await s.ready();
  const low = await training(s);
  await s.coordinator.submit({ ...submission, model_type: 'voice' });
  s.clock.advance(30_000);
  await s.ready();
  s.coordinator.post(runEvent(low, 1, 'failed', { status: 'failed', error: 'the loss is not a number' }));
  await s.coordinator.idle();
  assert.equal((await s.job(low))?.state, 'failed');
});

test('one whose trainer dies while it gives way goes back to the queue', async (t) => {
  const s = await setUp(t);
  await s.ready();
  const low = await training(s);
  await s.coordinator.submit({ ...submission, model_type: 'voice' });
  s.clock.advance(30_000);
  await s.ready();
  s.coordinator.post(runEvent(low, 1, 'status', lost));
  await s.coordinator.idle();
  assert.equal((await s.job(low))?.state, 'queued');
});

test('after some failures in a row the kind is held back, tried once, and let go by a success', async (t) => {
  const s = await setUp(t);
  await s.ready();
  const fail = async (): Promise<void> => {
    const jobId = await training(s);
    s.coordinator.post(runEvent(jobId, 1, 'failed', { status: 'failed', error: 'no memory' }));
    await s.coordinator.idle();
  };
  for (let i = 0; i < BREAKER.failures; i += 1) await fail();
  const { jobId } = await s.coordinator.submit(submission);
  await look(s);
  assert.equal((await s.job(jobId))?.state, 'queued');
  assert.match((await s.job(jobId))?.reason ?? '', /3 nlu jobs in a row failed \(the last: no memory\)/);
  const { jobId: other } = await s.coordinator.submit({ ...submission, epochs: 2 });
  s.clock.advance(BREAKER.cooldownMs);
  await s.ready();
  assert.deepEqual([(await s.job(jobId))?.state, (await s.job(other))?.state], ['starting', 'queued']);
  await startAll(s);
  s.coordinator.post(runEvent(jobId, 1, 'completed', { status: 'completed', model_version: '1.0.0' }));
  await s.coordinator.idle();
  assert.equal((await s.job(other))?.state, 'starting');
  assert.equal(await s.coordinator.resetBreaker('nlu'), false, 'there is none any more');
});

test('a breaker is reset by hand, and a cancelled job says nothing about its kind', async (t) => {
  const s = await setUp(t);
  await s.ready();
  for (let i = 0; i < BREAKER.failures; i += 1) {
    const jobId = await training(s);
    s.coordinator.post(runEvent(jobId, 1, 'failed', { status: 'failed', error: 'no memory' }));
    await s.coordinator.idle();
  }
  const { jobId: given } = await s.coordinator.submit(submission);
  await s.coordinator.cancel(given);
  const { jobId } = await s.coordinator.submit(submission);
  await look(s);
  assert.equal((await s.job(jobId))?.state, 'queued');
  assert.equal(await s.coordinator.resetBreaker('nlu'), true);
  await s.coordinator.idle();
  assert.equal((await s.job(jobId))?.state, 'starting');
});

test('a job whose turn does not come is cancelled in the end; one that has run is not', async (t) => {
  const s = await setUp(t);
  await s.ready();
  const busy = await training(s);
  const { jobId } = await s.coordinator.submit({ ...submission, epochs: 2, max_wait_seconds: 60 });
  s.clock.advance(59_000);
  await s.ready();
  assert.equal((await s.job(jobId))?.state, 'queued');
  s.clock.advance(1000);
  await s.ready();
  assert.equal((await s.job(jobId))?.state, 'cancelled');
  assert.match((await s.job(jobId))?.reason ?? '', /within 60 s/);
  assert.equal((await s.job(busy))?.state, 'training');
});

test('while Reactor Core is busy the others wait where they are, instead of taking the slot in turn', async (t) => {
  const s = await setUp(t);
  await s.ready();
  const { jobId: first } = await s.coordinator.submit(submission);
  const { jobId: second } = await s.coordinator.submit({ ...submission, model_type: 'vision' });
  await s.coordinator.idle();
  const refused = { type: 'run_refused', jobId: first, token: 1, final: false, busy: true } as const;
  s.coordinator.post({ ...refused, reason: 'no slot is free', retryAfterMs: 5000 });
  await s.coordinator.idle();
  assert.deepEqual([(await s.job(first))?.state, (await s.job(second))?.state], ['queued', 'queued']);
  assert.match((await s.job(second))?.reason ?? '', /can start nothing now \(no slot is free\)/);
  s.clock.advance(5000);
  await look(s);
  assert.deepEqual([(await s.job(first))?.state, (await s.job(second))?.state], ['starting', 'queued']);
});
