import assert from 'node:assert/strict';
import { readdir, readFile, rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  type DatasetRow,
  modelManifestSchema,
  SMALL_ARTIFACT_BYTES_MAX,
  TRAINER_EXIT_FAILED,
  TRAINER_EXIT_PREEMPTED,
} from '@jarvis/contracts';
import { loadModel } from '@jarvis/model-kinds';
import {
  type JobOptions,
  runToEnd,
  startTrainer,
  writeJob,
} from '../../../packages/trainer-kit/test/child-trainer.ts';
import { temporaryFolder } from '../../../packages/trainer-kit/test/temporary-folder.ts';
import { intentRow, intentRows, intentText, outOfScopeRow } from './intent-rows.ts';

const MAIN = fileURLToPath(new URL('../nlu/main.ts', import.meta.url));
const ROWS = [
  ...intentRows(12, 8),
  outOfScopeRow('what does the fox say'),
  outOfScopeRow('who won the war of roses'),
];
const EPOCHS = 60;

async function filesOf(dir: string): Promise<Map<string, string>> {
  const names = (await readdir(dir)).sort();
  return new Map(
    await Promise.all(
      names.map(async (n) => [n, (await readFile(join(dir, n))).toString('base64')] as const),
    ),
  );
}

/** Trains in a folder of its own. @returns the artifact's files */
async function train(options: JobOptions): Promise<Map<string, string>> {
  await using folder = await temporaryFolder();
  const job = await writeJob(folder.path, options);
  const { code, stderr } = await runToEnd(MAIN, folder.path, job);
  assert.equal(code, 0, stderr);
  return filesOf(job.artifact_dir);
}

/** Starts an attempt and ends it by a signal once it has passed an epoch. @returns its exit code */
async function interrupt(dir: string, attempt: number, epoch: number, signal: NodeJS.Signals) {
  const job = await writeJob(dir, { rows: ROWS, epochs: EPOCHS, attempt, interval: 5 });
  const child = startTrainer(MAIN, dir, job);
  await child.sees((event) => event.type === 'progress' && event.epoch >= epoch);
  child.kill(signal);
  return child.ended;
}

async function resume(dir: string, attempt: number) {
  const job = await writeJob(dir, { rows: ROWS, epochs: EPOCHS, attempt, interval: 5 });
  const { code, events, stderr } = await runToEnd(MAIN, dir, job);
  assert.equal(code, 0, stderr);
  const started = events.find((event) => event.type === 'started');
  return { files: await filesOf(job.artifact_dir), resumedFrom: started?.resumed_from_epoch };
}

test('two runs of one job give the same bytes', async () => {
  const options = { rows: ROWS, epochs: 8 };
  assert.deepEqual(await train(options), await train({ ...options, attempt: 3, token: 17, interval: 2 }));
});

test('I5: stopped by SIGTERM and resumed, twice, a run gives the bytes of one that was not', async () => {
  await using folder = await temporaryFolder();
  assert.equal((await interrupt(folder.path, 1, 7, 'SIGTERM')).code, TRAINER_EXIT_PREEMPTED);
  assert.equal((await interrupt(folder.path, 2, 18, 'SIGTERM')).code, TRAINER_EXIT_PREEMPTED);
  const { files, resumedFrom } = await resume(folder.path, 3);
  assert.ok(resumedFrom !== undefined && resumedFrom >= 18);
  assert.deepEqual(files, await train({ rows: ROWS, epochs: EPOCHS }));
});

test('I5: killed at any epoch and resumed, a run gives the bytes of one that was not', async () => {
  const whole = await train({ rows: ROWS, epochs: EPOCHS });
  for (const epoch of [1, 13, 31]) {
    await using folder = await temporaryFolder();
    assert.equal((await interrupt(folder.path, 1, epoch, 'SIGKILL')).signal, 'SIGKILL');
    const { files, resumedFrom } = await resume(folder.path, 2);
    assert.ok(resumedFrom !== undefined && resumedFrom >= epoch - 5);
    assert.deepEqual(files, whole, `killed at epoch ${epoch}`);
  }
});

test('a damaged newest checkpoint costs epochs, not bits', async () => {
  await using folder = await temporaryFolder();
  assert.equal((await interrupt(folder.path, 1, 16, 'SIGTERM')).code, TRAINER_EXIT_PREEMPTED);
  const dir = join(folder.path, 'checkpoints');
  const newest = (await readdir(dir)).sort().at(-1)!;
  await truncate(join(dir, newest, 'parameters-0.f32'), 1000);
  const { files, resumedFrom } = await resume(folder.path, 2);
  assert.ok(resumedFrom !== undefined && resumedFrom >= 5);
  assert.deepEqual(await readdir(join(dir, 'quarantine')), [`${newest}.1`]);
  assert.deepEqual(files, await train({ rows: ROWS, epochs: EPOCHS }));
});

test('gate rows never influence the model', async () => {
  const gateOf = (rows: DatasetRow[]) =>
    rows.map((row): DatasetRow => ({ ...row, id: `g${row.id}`, split: 'gate' }));
  const learnt = async (gate: DatasetRow[]) => {
    const files = await train({ rows: [...ROWS, ...gate], epochs: 4 });
    const manifest = modelManifestSchema.parse(
      JSON.parse(Buffer.from(files.get('model.json')!, 'base64').toString()),
    );
    files.delete('model.json');
    const { labels, encoding, metrics } = manifest;
    return { files, labels, encoding, metrics };
  };
  const other = gateOf([intentRow(3, 1), intentRow(99, 5), outOfScopeRow('entirely new words')]);
  assert.deepEqual(await learnt(other), await learnt([]));
});

test('validation rows set the threshold, and are not fitted', async () => {
  const manifestOf = async (rows: DatasetRow[]) => {
    const files = await train({ rows, epochs: 4 });
    return {
      files,
      manifest: modelManifestSchema.parse(
        JSON.parse(Buffer.from(files.get('model.json')!, 'base64').toString()),
      ),
    };
  };
  const clear = await manifestOf([...ROWS, intentRow(3, 8, 'validation'), intentRow(4, 8, 'validation')]);
  const vague: DatasetRow = { ...intentRow(3, 8, 'validation'), input: { text: 'please could you fandig' } };
  const mixed = await manifestOf([
    ...ROWS,
    vague,
    intentRow(4, 8, 'validation'),
    intentRow(90, 1, 'validation'),
  ]);
  assert.equal(mixed.files.get('model.onnx'), clear.files.get('model.onnx'));
  assert.equal(mixed.files.get('vocabulary.bin'), clear.files.get('vocabulary.bin'));
  assert.notDeepEqual(mixed.manifest.encoding, clear.manifest.encoding);
});

test('a set of 25 intents with 3 utterances each is learnt, with and without rows out of scope', async () => {
  const few = [outOfScopeRow('what does the fox say'), outOfScopeRow('who won the war of roses')];
  for (const extra of [[], few]) {
    await using folder = await temporaryFolder();
    const job = await writeJob(folder.path, { rows: [...intentRows(25, 3), ...extra], epochs: 12 });
    const { code, events } = await runToEnd(MAIN, folder.path, job);
    assert.equal(code, 0);
    const progress = events.filter((event) => event.type === 'progress');
    assert.equal(progress.length, 12);
    assert.ok(progress.every(({ accuracy }) => accuracy !== null));
    assert.ok(progress.at(-1)!.loss < progress[0]!.loss);
    const model = await loadModel(job.artifact_dir);
    const inputs = Array.from({ length: 25 }, (_, intent) => ({ text: intentText(intent, 6) }));
    const right = (await model.predict(inputs)).filter(
      ({ output }, i) => output['intent'] === `intent-${i}`,
    ).length;
    assert.ok(right >= 23, `${right} of 25 right`);
    const [strange] = await model.predict([{ text: 'völlig fremde Äußerung ohne Bezug' }]);
    assert.equal(strange?.output['intent'], 'oos');
    const bytes = Object.values(model.manifest.files).reduce((sum, file) => sum + file.bytes, 0);
    assert.ok(bytes < SMALL_ARTIFACT_BYTES_MAX / 100);
    await model.dispose();
  }
});

test('the smallest sets: one row, one label, nothing but out of scope, no letters', async () => {
  const wordless: DatasetRow = { ...intentRow(1, 0), input: { text: '?!' } };
  for (const rows of [
    [intentRow(0, 0)],
    intentRows(1, 5),
    [outOfScopeRow('a'), outOfScopeRow('b')],
    [wordless],
    intentRows(2, 1),
  ]) {
    await using folder = await temporaryFolder();
    const job = await writeJob(folder.path, { rows, epochs: 3 });
    const { code, stderr } = await runToEnd(MAIN, folder.path, job);
    assert.equal(code, 0, stderr);
    const model = await loadModel(job.artifact_dir);
    const [prediction] = await model.predict([{ text: 'anything' }]);
    assert.ok(prediction !== undefined && Number.isFinite(prediction.confidence));
    await model.dispose();
  }
});

test('batches are honoured, and any size of them learns', async () => {
  const losses = new Map<number, number>();
  for (const batch_size of [1, 7, 100_000]) {
    await using folder = await temporaryFolder();
    const change: JobOptions['change'] = (job) => {
      job.config = { batch_size, learning_rate: 0.3 };
    };
    const job = await writeJob(folder.path, { rows: ROWS, epochs: 10, change });
    const { code, events } = await runToEnd(MAIN, folder.path, job);
    assert.equal(code, 0);
    const last = events.at(-1);
    losses.set(batch_size, last?.type === 'completed' ? last.metrics['loss']! : NaN);
  }
  assert.equal(new Set(losses.values()).size, 3);
  assert.ok(
    [...losses.values()].every((loss) => loss < 1),
    JSON.stringify([...losses]),
  );
});

test('rows that are no nlu rows, and an architecture that is not built, fail with their codes', async () => {
  const cases: [string, JobOptions][] = [
    ['dataset_corrupt', { rows: [{ ...intentRow(0, 0), input: { sound: 1 } }], epochs: 1 }],
    ['dataset_corrupt', { rows: [{ ...intentRow(0, 0), expected_output: {} }], epochs: 1 }],
    [
      'unsupported_config',
      { rows: ROWS, epochs: 1, change: (job) => (job.config = { model_architecture: 'bert' }) },
    ],
    ['dataset_corrupt', { rows: ROWS, epochs: 1, change: (job) => (job.dataset.sha256 = '0'.repeat(64)) }],
  ];
  for (const [code, options] of cases) {
    await using folder = await temporaryFolder();
    const job = await writeJob(folder.path, options);
    const end = await runToEnd(MAIN, folder.path, job);
    assert.equal(end.code, TRAINER_EXIT_FAILED);
    const last = end.events.at(-1);
    assert.equal(last?.type === 'failed' ? last.code : last?.type, code);
    await assert.rejects(readdir(job.artifact_dir));
    await rm(job.owner_path);
  }
});
