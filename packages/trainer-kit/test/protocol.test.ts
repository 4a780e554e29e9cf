import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  type DatasetRow,
  modelManifestSchema,
  TRAINER_EXIT_FAILED,
  TRAINER_EXIT_OWNED,
  TRAINER_EXIT_PREEMPTED,
  trainerOwnerSchema,
} from '@jarvis/contracts';
import { runToEnd, startTrainer, writeJob } from './child-trainer.ts';
import { temporaryFolder } from './temporary-folder.ts';

const MAIN = fileURLToPath(new URL('fixture-trainer.ts', import.meta.url));
const ENDLESS = 100_000;

const row = (id: string, split: DatasetRow['split']): DatasetRow => ({
  id,
  split,
  input: { text: id },
  expected_output: { intent: 'x' },
});
const ROWS = [row('a', 'train'), row('held', 'gate'), row('b', 'train')];

test('a run from start to end: owner, events in order with token and time, artifact', async () => {
  await using folder = await temporaryFolder();
  const job = await writeJob(folder.path, { rows: ROWS, epochs: 3, token: 9, interval: 2 });
  const { code, events, stderr } = await runToEnd(MAIN, folder.path, job);
  assert.equal(code, 0, stderr);
  assert.deepEqual(
    events.map(({ type }) => type),
    ['started', 'progress', 'progress', 'checkpoint', 'progress', 'completed'],
  );
  assert.ok(events.every(({ token }) => token === 9));
  const owner = trainerOwnerSchema.parse(JSON.parse(await readFile(job.owner_path, 'utf8')));
  assert.equal(owner.token, 9);
  const manifest = modelManifestSchema.parse(
    JSON.parse(await readFile(join(job.artifact_dir, 'model.json'), 'utf8')),
  );
  assert.deepEqual(manifest.labels, ['a', 'b'], 'gate rows never reach a trainer');
  assert.deepEqual((await readdir(job.artifact_dir)).sort(), ['model.json', 'sum']);
  assert.ok(!(await readdir(folder.path)).some((name) => name.includes('.partial')));
});

test('a second trainer of the same attempt leaves at once and touches nothing', async () => {
  await using folder = await temporaryFolder();
  const job = await writeJob(folder.path, { rows: ROWS, epochs: ENDLESS });
  const first = startTrainer(MAIN, folder.path, job);
  await first.sees(({ type }) => type === 'started');
  const owner = await readFile(job.owner_path, 'utf8');
  const second = await startTrainer(MAIN, folder.path, job).ended;
  assert.equal(second.code, TRAINER_EXIT_OWNED);
  assert.equal(await readFile(job.owner_path, 'utf8'), owner);
  first.kill('SIGTERM');
  assert.equal((await first.ended).code, TRAINER_EXIT_PREEMPTED);
});

test('of several started together exactly one runs', async () => {
  await using folder = await temporaryFolder();
  const job = await writeJob(folder.path, { rows: ROWS, epochs: 2 });
  const ends = await Promise.all([1, 2, 3].map(() => startTrainer(MAIN, folder.path, job).ended));
  assert.deepEqual(ends.map(({ code }) => code).sort(), [0, TRAINER_EXIT_OWNED, TRAINER_EXIT_OWNED].sort());
});

test('SIGTERM: checkpoint, preempted, exit code; the next attempt goes on from there', async () => {
  await using folder = await temporaryFolder();
  const job = await writeJob(folder.path, { rows: ROWS, epochs: ENDLESS, interval: ENDLESS });
  const first = startTrainer(MAIN, folder.path, job);
  await first.sees((event) => event.type === 'progress' && event.epoch >= 3);
  first.kill('SIGTERM');
  assert.equal((await first.ended).code, TRAINER_EXIT_PREEMPTED);
  const again = await writeJob(folder.path, { rows: ROWS, epochs: ENDLESS, attempt: 2 });
  const second = startTrainer(MAIN, folder.path, again);
  await second.sees((event) => event.type === 'started' && event.resumed_from_epoch >= 3);
  second.kill('SIGTERM');
  assert.equal((await second.ended).code, TRAINER_EXIT_PREEMPTED);
});

test('a silent heartbeat is as good as a SIGTERM', async () => {
  await using folder = await temporaryFolder();
  const change = (job: { orphan_grace_seconds: number }) => {
    job.orphan_grace_seconds = 0.2;
  };
  const job = await writeJob(folder.path, { rows: ROWS, epochs: ENDLESS, change });
  await writeFile(job.heartbeat_path, '');
  const { code, events } = await runToEnd(MAIN, folder.path, job);
  assert.equal(code, TRAINER_EXIT_PREEMPTED);
  assert.equal(events.at(-1)?.type, 'preempted');
});

test('failures are events with a code and whether to try again', async () => {
  const cases = [
    { code: 'unsupported_config', retryable: false, fault: 'coded' },
    { code: 'internal', retryable: true, fault: 'crash' },
  ];
  for (const { code, retryable, fault } of cases) {
    await using folder = await temporaryFolder();
    const change = (job: { config: object }) => {
      job.config = { model_architecture: fault };
    };
    const job = await writeJob(folder.path, { rows: ROWS, epochs: 1, change });
    const end = await runToEnd(MAIN, folder.path, job);
    assert.equal(end.code, TRAINER_EXIT_FAILED);
    const last = end.events.at(-1);
    assert.ok(last?.type === 'failed');
    assert.deepEqual(
      { code: last.code, retryable: last.retryable, message: last.message },
      { code, retryable, message: 'as asked' },
    );
  }
});

test('data that is absent, changed, miscounted, empty or no rows fails with its code', async () => {
  const cases: {
    code: string;
    rows?: DatasetRow[];
    damage?: (path: string) => Promise<void>;
    count?: number;
  }[] = [
    { code: 'dataset_corrupt', damage: (path) => writeFile(path, '{}\n', { flag: 'a' }) },
    { code: 'dataset_corrupt', count: 4 },
    { code: 'dataset_corrupt', rows: [{ id: 'x' } as DatasetRow] },
    { code: 'dataset_empty', rows: [row('only', 'gate')] },
    { code: 'unsupported_model_type' },
    { code: 'dataset_unreadable' },
  ];
  for (const { code, rows = ROWS, damage, count } of cases) {
    await using folder = await temporaryFolder();
    const job = await writeJob(folder.path, {
      rows,
      epochs: 1,
      change(draft) {
        if (count !== undefined) draft.dataset.rows = count;
        if (code === 'unsupported_model_type') draft.model_type = 'vision';
        if (code === 'dataset_unreadable') draft.dataset.path += '.gone';
      },
    });
    await damage?.(job.dataset.path);
    const end = await runToEnd(MAIN, folder.path, job);
    assert.equal(end.code, TRAINER_EXIT_FAILED);
    const last = end.events.at(-1);
    assert.equal(last?.type === 'failed' ? last.code : last?.type, code);
  }
});

test('without checkpoints a stop saves nothing and says so', async () => {
  await using folder = await temporaryFolder();
  const change = (job: { checkpoint: { enabled: boolean } }) => {
    job.checkpoint.enabled = false;
  };
  const job = await writeJob(folder.path, { rows: ROWS, epochs: ENDLESS, change });
  const child = startTrainer(MAIN, folder.path, job);
  await child.sees((event) => event.type === 'progress' && event.epoch >= 2);
  child.kill('SIGTERM');
  assert.equal((await child.ended).code, TRAINER_EXIT_PREEMPTED);
  await assert.rejects(readdir(job.checkpoint.dir));
});

test('an artifact that a crashed attempt left, whole or half, is replaced', async () => {
  await using folder = await temporaryFolder();
  const job = await writeJob(folder.path, { rows: ROWS, epochs: 1 });
  for (const left of [job.artifact_dir, `${job.artifact_dir}.partial`]) {
    await mkdir(left);
    await writeFile(join(left, 'model.json'), '{"half":');
  }
  assert.equal((await runToEnd(MAIN, folder.path, job)).code, 0);
  modelManifestSchema.parse(JSON.parse(await readFile(join(job.artifact_dir, 'model.json'), 'utf8')));
});

test('a job file that is absent or no job ends with the failure code and a sentence', async () => {
  await using folder = await temporaryFolder();
  const job = await writeJob(folder.path, { rows: ROWS, epochs: 1 });
  await writeFile(join(folder.path, 'job-1.json'), '{}');
  const end = await runToEnd(MAIN, folder.path, job);
  assert.equal(end.code, TRAINER_EXIT_FAILED);
  assert.match(end.stderr, /job-1\.json is no trainer job/);
});
