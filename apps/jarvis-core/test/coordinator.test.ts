// The coordinator over the real store: what each event does to queue, slot and lease, with the work outside recorded.
import assert from 'node:assert/strict';
import { BYTES_PER_GB } from '@jarvis/contracts';
import { listLocks } from '../src/store/locks.ts';
import { listLeases } from '../src/store/leases.ts';
import { storeBatch } from '../src/store/experiences.ts';
import { jobStream, setDataset } from '../src/store/jobs.ts';
import { lost, ROOMY, runEvent, setUp, submission, test, training } from './coordinator-world.ts';

test('nothing is granted or started before Reactor Core has said which runs it has', async (t) => {
  const s = await setUp(t);
  const { jobId } = await s.coordinator.submit(submission);
  s.coordinator.post({ type: 'measured', memory: ROOMY });
  await s.coordinator.idle();
  assert.equal((await s.job(jobId))?.state, 'queued');
  assert.match((await s.job(jobId))?.reason ?? '', /has not answered yet/);
});

test('a job takes slot, then lease, then starts; each step is an event', async (t) => {
  const s = await setUp(t);
  await s.ready();
  const { jobId } = await s.coordinator.submit(submission);
  await s.coordinator.idle();
  const job = await s.job(jobId);
  assert.equal(job?.state, 'starting');
  assert.equal(job?.token, 1);
  assert.deepEqual(
    (await s.events.read(jobStream(jobId), 0)).map((e) => (e.data as { state: string }).state),
    ['queued', 'waiting_for_memory', 'starting'],
  );
  assert.deepEqual(
    s.work().start.map((j) => j.jobId),
    [jobId],
  );
  assert.equal((await listLeases(s.db))[0]?.state, 'granted');
});

test('one trains, the next waits and says for whom; then it is its turn, with a higher token', async (t) => {
  const s = await setUp(t);
  await s.ready();
  const first = await training(s);
  const { jobId: second } = await s.coordinator.submit({ ...submission, model_type: 'vision' });
  await s.coordinator.idle();
  assert.match((await s.job(second))?.reason ?? '', new RegExp(`slot is held by ${first}`));
  s.coordinator.post(runEvent(first, 1, 'completed', { model_version: 'v0.1.0' }));
  await s.coordinator.idle();
  assert.equal((await s.job(first))?.state, 'completed');
  assert.equal((await s.job(first))?.model_version, 'v0.1.0');
  assert.equal((await s.job(second))?.state, 'starting');
  assert.equal((await s.job(second))?.token, 2);
});

test('an equal job that waits is joined, one that trains is not', async (t) => {
  const s = await setUp(t);
  await s.ready();
  const first = await training(s);
  const second = await s.coordinator.submit(submission);
  const third = await s.coordinator.submit(submission);
  assert.notEqual(second.jobId, first);
  assert.deepEqual(third, { jobId: second.jobId, joined: true });
});

test('what a trigger counted may have been given to a job meanwhile: then none is made', async (t) => {
  const s = await setUp(t);
  const store = (batchId: string, texts: readonly string[]) =>
    s.db.transaction('test.step', (tx) =>
      storeBatch(tx, {
        batchId,
        source: 'api',
        experiences: texts.map((text) => ({
          type: 'command',
          input: { text },
          expected_output: { intent: 'lights_on' },
        })),
        nowMs: s.clock.now(),
      }),
    );
  await store('first', ['one', 'two', 'three']);
  await s.ready();
  const counted = await s.coordinator.submitIfNew(submission, 3);
  assert.ok(counted !== null && !counted.joined);
  await s.db.transaction('test.step', (tx) =>
    setDataset(tx, counted.jobId, { sha256: 'a'.repeat(64), rows: 3, through: 3 }),
  );
  assert.equal(await s.coordinator.submitIfNew(submission, 3), null);
  await store('second', ['four']);
  assert.equal(await s.coordinator.submitIfNew(submission, 2), null);
  assert.notEqual(await s.coordinator.submitIfNew(submission, 1), null);
});

test('a lost trainer is tried again after a wait, from a new token; too often, and the job has failed', async (t) => {
  const s = await setUp(t, 1);
  await s.ready();
  const jobId = await training(s);
  s.coordinator.post(runEvent(jobId, 1, 'status', lost));
  await s.coordinator.idle();
  assert.equal((await s.job(jobId))?.state, 'queued');
  assert.equal((await listLocks(s.db))[0]?.state, 'free');
  s.clock.advance(1000);
  s.coordinator.post({ type: 'look' });
  await s.coordinator.idle();
  assert.equal((await s.job(jobId))?.token, 2);
  s.coordinator.post({ type: 'run_started', jobId, token: 2 });
  s.coordinator.post(runEvent(jobId, 2, 'status', lost));
  await s.coordinator.idle();
  assert.equal((await s.job(jobId))?.state, 'failed');
  assert.match((await s.job(jobId))?.error ?? '', /died in each of 2 attempts/);
});

test('an event that is told twice counts once', async (t) => {
  const s = await setUp(t);
  await s.ready();
  const jobId = await training(s);
  for (let i = 0; i < 3; i += 1) s.coordinator.post(runEvent(jobId, 1, 'status', lost));
  await s.coordinator.idle();
  s.clock.advance(1000);
  s.coordinator.post({ type: 'look' });
  await s.coordinator.idle();
  s.coordinator.post(runEvent(jobId, 1, 'status', lost));
  await s.coordinator.idle();
  assert.equal((await s.job(jobId))?.state, 'starting');
  assert.equal((await s.job(jobId))?.attempt, 2);
});

test('a preempted job goes back, spends no retry, and keeps its submit time', async (t) => {
  const s = await setUp(t);
  await s.ready();
  const jobId = await training(s);
  const before = await s.job(jobId);
  s.coordinator.post(runEvent(jobId, 1, 'preempted', { status: 'preempted', epoch: 4, attempt: 1 }));
  await s.coordinator.idle();
  const job = await s.job(jobId);
  assert.equal(job?.state, 'starting');
  assert.equal(job?.attempt, 1);
  assert.equal(job?.token, 2);
  assert.equal(job?.submitted_at, before?.submitted_at);
});

test('cancelling: at once while it waits, through Reactor Core while it trains; each job has one last event', async (t) => {
  const s = await setUp(t);
  await s.ready();
  const first = await training(s);
  const { jobId: second } = await s.coordinator.submit({ ...submission, model_type: 'vision' });
  await s.coordinator.cancel(second);
  assert.equal((await s.job(second))?.state, 'cancelled');
  await s.coordinator.cancel(first);
  await s.coordinator.idle();
  assert.deepEqual(
    s.work().cancel.map((j) => j.jobId),
    [first],
  );
  s.coordinator.post(runEvent(first, 1, 'cancelled', { status: 'cancelled' }));
  await s.coordinator.idle();
  for (const id of [first, second]) {
    const ends = (await s.events.read(jobStream(id), 0)).filter(
      (e) => (e.data as { state: string }).state === 'cancelled',
    );
    assert.equal(ends.length, 1);
  }
  await assert.rejects(s.coordinator.cancel('nobody'), { code: 'not_found' });
});

test('a refusal that passes sends the job back with a wait; a final one fails it', async (t) => {
  const s = await setUp(t);
  await s.ready();
  const { jobId } = await s.coordinator.submit(submission);
  await s.coordinator.idle();
  s.coordinator.post({
    type: 'run_refused',
    jobId,
    token: 1,
    reason: 'slot busy',
    final: false,
    busy: true,
    retryAfterMs: 2000,
  });
  await s.coordinator.idle();
  assert.equal((await s.job(jobId))?.state, 'queued');
  s.clock.advance(2000);
  s.coordinator.post({ type: 'look' });
  await s.coordinator.idle();
  s.coordinator.post({
    type: 'run_refused',
    jobId,
    token: 1,
    reason: 'of an earlier try',
    final: true,
    busy: false,
    retryAfterMs: 0,
  });
  await s.coordinator.idle();
  assert.equal((await s.job(jobId))?.state, 'starting', 'a refusal with an old token is not about this try');
  s.coordinator.post({
    type: 'run_refused',
    jobId,
    token: 2,
    reason: 'nothing to learn from',
    final: true,
    busy: false,
    retryAfterMs: 0,
  });
  await s.coordinator.idle();
  assert.equal((await s.job(jobId))?.state, 'failed');
});

test('a restart goes on where it was: the queue is there, and the runs are followed again', async (t) => {
  const s = await setUp(t);
  await s.ready();
  const first = await training(s);
  const { jobId: second } = await s.coordinator.submit({ ...submission, model_type: 'vision' });
  await s.coordinator.stop();
  const restarted = s.make();
  s.clock.advance(3_600_000);
  await s.ready(restarted);
  assert.deepEqual(
    s.work().follow.map((j) => j.jobId),
    [first],
  );
  assert.equal((await s.job(second))?.state, 'queued');
  assert.equal(
    (await listLocks(s.db))[0]?.holder,
    first,
    'its time is over, but the job is ours and has not ended',
  );
});

test("a stranger's slot and lease are given back when its time is over and Reactor Core has no such run", async (t) => {
  const s = await setUp(t);
  await s.ready();
  const { acquireLock } = await import('../src/store/locks.ts');
  const { LeaseTable } = await import('../src/store/leases.ts');
  const leases = new LeaseTable(s.events);
  await s.db.transaction('test.step', async (tx) => {
    await acquireLock(tx, { name: 'training/0', holder: 'stranger', nowMs: s.clock.now(), ttlMs: 60_000 });
    await leases.request(tx, {
      leaseId: 'l',
      holder: 'stranger',
      need: { ram_bytes: BYTES_PER_GB, vram_bytes: {} },
      reason: '',
      nowMs: s.clock.now(),
    });
  });
  const run = {
    job_id: 'stranger',
    attempt: 1,
    model_type: 'nlu',
    state: 'running',
    token: 1,
    slot: 0,
    lease_id: 'l',
    need: null,
    pid: 1,
    epoch: 0,
    total_epochs: 1,
    created_at: '',
    ended_at: null,
  } as const;
  s.coordinator.post({ type: 'look' });
  await s.coordinator.idle();
  // In two steps: who has not looked for long has slept, and reclaims nothing at first.
  for (const ms of [31_000, 30_000]) {
    s.clock.advance(ms);
    s.coordinator.post({ type: 'runs_observed', runs: [run] });
    await s.coordinator.idle();
  }
  assert.equal((await listLocks(s.db))[0]?.holder, 'stranger', 'Reactor Core says that it lives');
  s.coordinator.post({ type: 'runs_observed', runs: [] });
  await s.coordinator.idle();
  s.coordinator.post({ type: 'runs_observed', runs: [] });
  await s.coordinator.idle();
  assert.equal((await listLocks(s.db))[0]?.state, 'free');
  assert.equal((await listLeases(s.db))[0]?.state, 'released');
});
