// What starts a training by itself: enough new experiences, the hour, and a kind that has no version yet.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Experience, Job } from '@jarvis/contracts';
import { until } from '@jarvis/testkit';
import { type Client, commands } from './client.ts';
import { makeWorld, startCore } from './world.ts';

const TRIGGERS = {
  TRAINING_AUTO_TRIGGER_ENABLED: 'true',
  TRAINING_CHECK_INTERVAL: '0.05',
  TRAINING_MIN_NEW_EXPERIENCES: '10',
  TRAINING_CRON_SCHEDULE: '0 0 29 2 *',
};
/** Almost the whole budget: it fits only while nothing else at all is in use. */
const NEARLY_ALL_GB = '99999.7';

function pictures(n: number): Experience[] {
  return Array.from({ length: n }, (_, i) => ({
    type: 'vision',
    input: { image_path: `${i}.png` },
    expected_output: { label: 'cat' },
  }));
}

async function jobsOf(core: Client, kind: Job['model_type']): Promise<Job[]> {
  return (await core.jobs()).filter((j) => j.model_type === kind);
}

/** nlu is looked at before vision: when vision has its job, nlu was decided on what was stored before. */
async function untilLookedAt(core: Client): Promise<void> {
  await core.store(pictures(10));
  await until('vision to be triggered', async () => (await jobsOf(core, 'vision')).length > 0);
}

test('one below the threshold starts nothing; the one that reaches it starts one job', async (t) => {
  const world = await makeWorld(t, TRIGGERS);
  const core = await startCore(world);
  await core.store(commands(9));
  await core.store([{ type: 'command', input: { text: 'without a label' } }]);
  await untilLookedAt(core);
  assert.deepEqual(await jobsOf(core, 'nlu'), []);
  await core.store(commands(1, 'lights_on', 'the last'));
  const [job] = await until('nlu to be triggered', async () => {
    const jobs = await jobsOf(core, 'nlu');
    return jobs.length > 0 ? jobs : null;
  });
  assert.equal(job?.priority, 'high');
});

test('while one trains, new experiences start one more job, and further ones join it', async (t) => {
  const world = await makeWorld(t, TRIGGERS);
  const core = await startCore(world);
  await core.store(commands(10));
  const first = await until('the first job', async () => (await jobsOf(core, 'nlu'))[0]);
  await core.reaches(first.job_id, 'training');
  await core.store(commands(10, 'lights_on', 'more'));
  await until('the second job', async () => (await jobsOf(core, 'nlu')).length === 2);
  await core.store(commands(30, 'lights_on', 'still more'));
  await untilLookedAt(core);
  assert.equal((await jobsOf(core, 'nlu')).length, 2);
  world.reactor.complete(first.job_id);
  await core.reaches(first.job_id, 'completed');
  const second = (await jobsOf(core, 'nlu')).find((j) => j.job_id !== first.job_id)?.job_id ?? '';
  await core.reaches(second, 'training');
  assert.equal(
    world.reactor.starts.at(-1)?.dataset?.rows,
    50,
    'it learns from all that came before it began',
  );
});

test('a job that holds the slot and waits for memory is joined as well', async (t) => {
  const world = await makeWorld(t, { ...TRIGGERS, TRAINING_MEMORY_RESERVE_GB: NEARLY_ALL_GB });
  const core = await startCore(world);
  await core.store(commands(10));
  const first = await until('the job', async () => (await jobsOf(core, 'nlu'))[0]);
  await core.reaches(first.job_id, 'waiting_for_memory');
  await core.store(commands(10, 'lights_on', 'more'));
  await untilLookedAt(core);
  assert.deepEqual(
    (await jobsOf(core, 'nlu')).map((j) => j.job_id),
    [first.job_id],
  );
});

test('switched off, nothing starts; switched on, what lies there does', async (t) => {
  const world = await makeWorld(t, TRIGGERS);
  const off = await startCore(world, { TRAINING_AUTO_TRIGGER_ENABLED: 'false' });
  await off.store(commands(20));
  const looks = world.reactor.looks;
  await until('some looks to pass', () => world.reactor.looks > looks + 5);
  assert.deepEqual(await off.jobs(), []);
  await off.stop();
  const on = await startCore(world);
  await until('the job', async () => (await on.jobs()).length === 1);
});

test('the schedule trains on whatever is new, however little', async (t) => {
  const world = await makeWorld(t, { ...TRIGGERS, TRAINING_CHECK_INTERVAL: '3600' });
  const core = await startCore(world, {}, '* * * * * *');
  await core.store(commands(1));
  const job = await until('the job', async () => (await core.jobs())[0]);
  assert.equal(job.model_type, 'nlu');
});

test('a home without a version trains the baseline from the seed set, once in its life', async (t) => {
  const world = await makeWorld(t, { TRAINING_BASELINE_ENABLED: 'true' });
  const seed = join(world.folder, 'seed.jsonl');
  const lines = ['lights on', 'turn on the lights', 'stop'].map((text) => ({ text, label: 'l' }));
  await writeFile(seed, `${lines.map((l) => JSON.stringify(l)).join('\n')}\n`);
  const core = await startCore(world, { NLU_SEED_PATH: seed });
  await core.reaches('baseline-nlu', 'training');
  assert.deepEqual(
    world.reactor.starts.map((s) => [s.job_id, s.dataset?.rows]),
    [['baseline-nlu', 3]],
  );
  world.reactor.complete('baseline-nlu');
  await core.reaches('baseline-nlu', 'completed');
  await core.stop();
  const again = await startCore(world, { NLU_SEED_PATH: seed });
  assert.deepEqual(
    (await again.jobs()).map((j) => [j.job_id, j.state]),
    [['baseline-nlu', 'completed']],
  );
  assert.equal(await again.count(), 3, 'the seeds are not stored twice');
});

test('a seed set with a mistake starts nothing, and the line is named', async (t) => {
  const world = await makeWorld(t, { TRAINING_BASELINE_ENABLED: 'true' });
  const seed = join(world.folder, 'seed.jsonl');
  await writeFile(seed, '{"text": "lights on", "label": "lights_on"}\n{"text": "stop"}\n');
  await assert.rejects(startCore(world, { NLU_SEED_PATH: seed }), {
    code: 'invalid_request',
    message: /seed\.jsonl:2/,
  });
  await assert.rejects(startCore(world, { NLU_SEED_PATH: join(world.folder, 'nothing') }), {
    message: /NLU_SEED_PATH/,
  });
});
