// What trainings took is kept, and decides what the next of their kind is given.
import assert from 'node:assert/strict';
import { BYTES_PER_GB } from '@jarvis/contracts';
import { listBreakers } from '../src/store/breakers.ts';
import { runEvent, setUp, submission, test, training } from './coordinator-world.ts';

const GB = BYTES_PER_GB;
type Scene = Awaited<ReturnType<typeof setUp>>;

async function tell(s: Scene, ...event: Parameters<typeof runEvent>): Promise<void> {
  s.coordinator.post(runEvent(...event));
  await s.coordinator.idle();
}

async function needOfNext(s: Scene): Promise<number> {
  await s.coordinator.submit(submission);
  await s.coordinator.idle();
  const { leases } = await s.queue.load();
  return leases[0]?.need.ram_bytes ?? NaN;
}

test('a training that ended tells what its kind takes: the next is given that, with a margin', async (t) => {
  const s = await setUp(t);
  await s.ready();
  const jobId = await training(s);
  await tell(s, jobId, 1, 'completed', { model_version: 'v1', peak_ram_bytes: 3 * GB });
  assert.equal(await needOfNext(s), Math.ceil(3 * GB * 1.15));
});

test('what it took survives a restart, and is counted once however often it is told', async (t) => {
  const s = await setUp(t);
  await s.ready();
  const jobId = await training(s);
  const taken = { jobId, attempt: 1, peakBytes: 3 * GB, outcome: 'ended', failure: null } as const;
  await s.queue.noteMemory(taken, 1);
  await s.queue.noteMemory({ ...taken, peakBytes: 60 * GB }, 2);
  await tell(s, jobId, 1, 'completed', { model_version: 'v1', peak_ram_bytes: 61 * GB });
  assert.equal(await needOfNext(s), Math.ceil(3 * GB * 1.15));
});

test('one that ran out of memory is tried again with two and a half times as much, and spends an attempt', async (t) => {
  const s = await setUp(t);
  await s.ready();
  const jobId = await training(s);
  await tell(s, jobId, 1, 'status', { status: 'lost', cause: 'out_of_memory', peak_ram_bytes: GB });
  s.clock.advance(5_000);
  await s.ready();
  const [lease] = (await s.queue.load()).leases;
  assert.deepEqual([lease?.holder, lease?.need.ram_bytes], [jobId, 2.5 * GB]);
  assert.equal((await s.job(jobId))?.attempt, 2);
});

test('one that was stopped in time likewise, and spends none', async (t) => {
  const s = await setUp(t);
  await s.ready();
  const jobId = await training(s);
  await tell(s, jobId, 1, 'preempted', { cause: 'memory_pressure', peak_ram_bytes: GB });
  await s.ready();
  const [lease] = (await s.queue.load()).leases;
  assert.deepEqual([lease?.holder, lease?.need.ram_bytes], [jobId, 2.5 * GB]);
  assert.equal((await s.job(jobId))?.attempt, 1, 'the first was given back');
});

test('stopped in time twice it is given more twice, though its own attempt is the first both times', async (t) => {
  const s = await setUp(t);
  await s.ready();
  const jobId = await training(s);
  const pressed = { cause: 'memory_pressure', peak_ram_bytes: GB };
  await tell(s, jobId, 1, 'preempted', { ...pressed, attempt: 1 });
  await s.ready();
  s.coordinator.post({ type: 'run_started', jobId, token: s.work().start[0]?.token ?? -1 });
  await tell(s, jobId, 2, 'preempted', { ...pressed, attempt: 2 });
  await s.ready();
  const [lease] = (await s.queue.load()).leases;
  assert.equal(lease?.need.ram_bytes, 6.25 * GB);
});

test('who said what it needs gets that, and more only when it ran out under it', async (t) => {
  const s = await setUp(t);
  await s.ready();
  const first = await training(s);
  await tell(s, first, 1, 'completed', { model_version: 'v1', peak_ram_bytes: 9 * GB });
  const need = { ram_bytes: 2 * GB, vram_bytes: {} };
  const { jobId } = await s.coordinator.submit({ ...submission, need });
  await s.coordinator.idle();
  assert.equal((await s.queue.load()).leases[0]?.need.ram_bytes, 2 * GB);
  s.coordinator.post({ type: 'run_started', jobId, token: s.work().start[0]?.token ?? -1 });
  await tell(s, jobId, 1, 'preempted', { cause: 'memory_pressure', peak_ram_bytes: 2 * GB });
  await s.ready();
  assert.equal((await s.queue.load()).leases[0]?.need.ram_bytes, 5 * GB);
});

test('three in a row that ran out open the breaker of their kind, which says so', async (t) => {
  const s = await setUp(t, 5);
  await s.ready();
  const jobId = await training(s);
  for (let attempt = 1; attempt <= 3; attempt += 1) {
    await tell(s, jobId, attempt, 'status', { status: 'lost', cause: 'out_of_memory' });
    if (attempt === 3) break;
    s.clock.advance(10_000);
    await s.ready();
    s.coordinator.post({ type: 'run_started', jobId, token: s.work().start[0]?.token ?? -1 });
    await s.coordinator.idle();
  }
  const [breaker] = await listBreakers(s.db);
  assert.equal(breaker?.failures, 3);
  s.clock.advance(10_000);
  await s.ready();
  assert.match(
    (await s.job(jobId))?.reason ?? '',
    /3 nlu jobs in a row failed \(the last: nlu ran out of memory under 6\.25 GB\); one is tried at/,
  );
});
