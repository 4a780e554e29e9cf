// Trainers that take memory, for real: measured, held to what is reserved for them, and nobody else suffers.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { BYTES_PER_GB, type Run } from '@jarvis/contracts';
import { makeMemoryLimit, removeMemoryGroup } from '@jarvis/process';
import type { JobEvent } from './client.ts';
import { makeWorld, type Reactor, type World } from './harness.ts';
import { until } from './until.ts';

const MIB = 1024 ** 2;
const NEED_MIB = 512;
const NEED = { host_id: 'here', ram_bytes: NEED_MIB * MIB, vram_bytes: {} };
/** With its program above nine tenths of the need, and below the need. */
const NEARLY_ALL = 'growing:440';
const MANY_EPOCHS = 10_000;

const PROBE = `jarvis-test-${process.pid}.`;
const probe = await makeMemoryLimit(`${PROBE}probe`, BYTES_PER_GB);
if (probe.group !== null) await removeMemoryGroup(probe.group, PROBE);
const withGroups = { skip: probe.group === null && `no memory cgroup can be made: ${probe.detail}` };
const onLinux = { skip: process.platform !== 'linux' && 'reads /proc' };

const atCheckpoint = (event: JobEvent): boolean => event.name === 'checkpoint';
const ended = (event: JobEvent): boolean => event.name === 'preempted' || event.data['status'] === 'lost';

async function untilPeak(reactor: Pick<Reactor, 'runs'>, mebibytes: number): Promise<Run> {
  let run: Run | undefined;
  await until('the peak to be stored', async () => {
    [run] = await reactor.runs();
    return (run?.peak_ram_bytes ?? 0) > mebibytes * MIB;
  });
  assert.ok(run);
  return run;
}

/** The cgroups of the trainers that live. */
async function groupsOf(world: World): Promise<string[]> {
  assert.ok(probe.group !== null);
  const siblings = await readdir(dirname(probe.group));
  const found: string[] = [];
  for (const name of siblings.filter((n) => n.startsWith('jarvis-'))) {
    const procs = await readFile(join(dirname(probe.group), name, 'cgroup.procs'), 'utf8').catch(() => '');
    const pids = await world.trainers();
    if (pids.some((pid) => procs.split('\n').includes(String(pid))))
      found.push(join(dirname(probe.group), name));
  }
  return found;
}

test(
  'who comes near its limit is stopped at a checkpoint, with the cause and the peak, and goes on with more',
  onLinux,
  async (t) => {
    const world = await makeWorld(t);
    const reactor = await world.start();
    const body = world.body({ mode: NEARLY_ALL, epochs: MANY_EPOCHS, need: NEED });
    await reactor.start(body);
    const last = (await reactor.eventsUntil('job-1', ended)).at(-1);
    assert.deepEqual([last?.name, last?.data['cause']], ['preempted', 'memory_pressure']);
    const peak = Number(last?.data['peak_ram_bytes']);
    assert.ok(peak > 0.9 * NEED.ram_bytes && peak <= NEED.ram_bytes, `${peak / MIB} MiB`);
    const [run] = await reactor.runs();
    assert.equal(run?.peak_ram_bytes, peak);
    assert.equal(run?.limit?.ram_bytes, NEED.ram_bytes);
    assert.deepEqual(await world.terms('job-1'), ['1'], 'it was asked');
    const epoch = Number(last?.data['epoch']);
    assert.ok(epoch > 1 && epoch < MANY_EPOCHS);
    assert.equal(await readFile(world.file('runs', 'job-1', 'checkpoints', 'epoch'), 'utf8'), String(epoch));

    await reactor.start({ ...body, fencing_token: 2, need: { ...NEED, ram_bytes: 2 * NEED.ram_bytes } });
    const second = await reactor.eventsUntil(
      'job-1',
      (e) => atCheckpoint(e) && e.data['epoch'] === epoch + 30,
      last?.id,
    );
    assert.ok(!second.some((e) => e.name === 'preempted'));
    await reactor.must('POST', '/api/training/cancel/job-1');
  },
);

/**
 * A look may fall just before the kill: then the peak is what was measured, which counts mapped files too that the kernel
 * charges to whoever read them first, and not to this group.
 */
function assertReachedLimit(peak: unknown): void {
  const limit = NEED.ram_bytes;
  const mebibytes = Number(peak) / MIB;
  assert.ok(
    Number(peak) >= limit && Number(peak) < 1.1 * limit,
    `it had reached its limit: ${mebibytes} MiB`,
  );
}

test('who leaps over its limit is killed by the kernel in its group; others live', withGroups, async (t) => {
  const world = await makeWorld(t, { env: { MAX_CONCURRENT_TRAINING_JOBS: '2' } });
  const reactor = await world.start();
  const sibling = world.body({
    job_id: 'job-2',
    slot: 1,
    mode: 'leaping:1',
    need: { ...NEED, ram_bytes: 2 * BYTES_PER_GB },
  });
  await reactor.start(sibling);
  await reactor.start(world.body({ mode: 'leaping:2', need: NEED }));
  await reactor.eventsUntil('job-1', atCheckpoint);
  const groups = await groupsOf(world);
  assert.equal(groups.length, 2);
  await world.release('job-1');
  const last = (await reactor.eventsUntil('job-1', ended)).at(-1);
  assert.deepEqual([last?.data['status'], last?.data['cause']], ['lost', 'out_of_memory']);
  assertReachedLimit(last?.data['peak_ram_bytes']);
  assert.match((await reactor.status('job-1')).error ?? '', /may take 0\.50 GB and needed more/);
  assert.deepEqual(await world.terms('job-1'), [], 'nobody asked it');

  await world.release('job-2');
  const events = await reactor.eventsToEnd('job-2');
  assert.equal(events.at(-1)?.name, 'completed');
  await until('both groups to be gone', () => groups.every((group) => !existsSync(group)));
});

test('on its last attempt who leaps fails with out_of_memory', withGroups, async (t) => {
  const world = await makeWorld(t);
  const reactor = await world.start();
  await reactor.start(world.body({ mode: 'leaping:1', need: NEED, last_attempt: true }));
  await world.release('job-1');
  const { name, data } = (await reactor.eventsToEnd('job-1')).at(-1) ?? {};
  assert.deepEqual([name, data?.['code']], ['failed', 'out_of_memory']);
  assertReachedLimit(data?.['peak_ram_bytes']);
});

test(
  'a restart keeps limit and peak, tells a kill that it sees afterwards, and removes the group',
  withGroups,
  async (t) => {
    const world = await makeWorld(t);
    const before = await world.spawn();
    await before.start(world.body({ mode: 'leaping:2', need: NEED }));
    await before.eventsUntil('job-1', atCheckpoint);
    const { peak_ram_bytes, limit } = await untilPeak(before, 10);
    const [group] = await groupsOf(world);
    assert.ok(group !== undefined);
    await before.kill();

    const reactor = await world.start();
    const [run] = await reactor.runs();
    assert.deepEqual(run?.limit, limit);
    assert.ok((run?.peak_ram_bytes ?? 0) >= (peak_ram_bytes ?? Infinity));
    assert.ok(existsSync(group));
    await world.release('job-1');
    const last = (await reactor.eventsUntil('job-1', ended)).at(-1);
    assert.deepEqual([last?.data['status'], last?.data['cause']], ['lost', 'out_of_memory']);
    await until('the group to be gone', () => !existsSync(group));
  },
);

test(
  'a kill while nobody was there is known afterwards, and a group that nobody noted is removed',
  withGroups,
  async (t) => {
    const world = await makeWorld(t);
    const before = await world.spawn();
    await before.start(world.body({ mode: 'leaping:2', need: NEED }));
    await before.eventsUntil('job-1', atCheckpoint);
    const [group] = await groupsOf(world);
    assert.ok(group !== undefined);
    await before.kill();
    await world.release('job-1');
    await world.untilNoTrainer();
    const left = await makeMemoryLimit(
      group.slice(group.lastIndexOf('/') + 1).replace('job-1', 'job-9'),
      BYTES_PER_GB,
    );
    const foreign = await makeMemoryLimit(`${PROBE}foreign`, BYTES_PER_GB);
    t.after(() => removeMemoryGroup(foreign.group ?? '', PROBE));

    const reactor = await world.start();
    const [lost] = (await reactor.eventsUntil('job-1', ended)).slice(-1);
    assert.deepEqual([lost?.data['status'], lost?.data['cause']], ['lost', 'out_of_memory']);
    assertReachedLimit((await reactor.runs())[0]?.peak_ram_bytes);
    await until('the groups to be gone', () => !existsSync(group) && !existsSync(left.group ?? ''));
    assert.ok(existsSync(foreign.group ?? ''), 'that is not ours');
  },
);

test('without a need nothing limits a trainer, its peak is still known', onLinux, async (t) => {
  const world = await makeWorld(t);
  const reactor = await world.start();
  await reactor.start(world.body({ mode: 'held:1' }));
  const run = await untilPeak(reactor, 10);
  assert.equal(run.limit, null);
  await world.killTrainers();
  const last = (await reactor.eventsUntil('job-1', ended)).at(-1);
  assert.deepEqual(
    [last?.data['status'], last?.data['cause']],
    ['lost', 'died'],
    'whoever kills is not the kernel',
  );
  assert.ok(Number(last?.data['peak_ram_bytes']) >= (run.peak_ram_bytes ?? Infinity));
});

test('switched off, a trainer takes what it likes and is measured', onLinux, async (t) => {
  const world = await makeWorld(t, { env: { TRAINER_MEMORY_LIMIT: 'false' } });
  const reactor = await world.start();
  await reactor.start(world.body({ mode: 'leaping:1', need: NEED }));
  await world.release('job-1');
  const last = (await reactor.eventsToEnd('job-1')).at(-1);
  assert.equal(last?.name, 'completed');
  assert.equal((await reactor.runs())[0]?.limit, null);
});

test('a job of our own that takes too much again and again uses its retries up', onLinux, async (t) => {
  const world = await makeWorld(t, { env: { TRAINING_RETRY_LIMIT: '1', TRAINING_RETRY_DELAY: '0.1' } });
  world.core.need = NEED;
  const reactor = await world.start();
  await reactor.start(world.body({ mode: NEARLY_ALL, epochs: MANY_EPOCHS, fencing_token: undefined }));
  const events = await reactor.eventsToEnd('job-1');
  const causes = events.filter((e) => e.name === 'preempted').map((e) => e.data['cause']);
  assert.deepEqual(causes, ['memory_pressure', 'memory_pressure']);
  assert.match(String(events.at(-1)?.data['error']), /lost in 2 attempts: .*% of the 0\.50 GB/);
});
