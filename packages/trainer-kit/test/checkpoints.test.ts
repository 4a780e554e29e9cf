import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { CheckpointStore } from '@jarvis/trainer-kit';
import { temporaryFolder } from './temporary-folder.ts';

const IDENTITY = {
  job_id: 'job-1',
  dataset_sha256: 'a'.repeat(64),
  config_sha256: 'b'.repeat(64),
  code_sha256: 'c'.repeat(64),
};

function open(
  dir: string,
  changes: { identity?: Partial<typeof IDENTITY>; token?: number; keepLast?: number } = {},
) {
  const { token = 1, keepLast = 3 } = changes;
  return new CheckpointStore({ dir, identity: { ...IDENTITY, ...changes.identity }, token, keepLast });
}

const state = (epoch: number, step = 0) => ({
  epoch,
  step,
  metrics: { loss: 1 / (epoch + 1) },
  files: { 'weights.bin': Buffer.from(`weights of epoch ${epoch}, step ${step}`), empty: new Uint8Array(0) },
});

const quarantined = (dir: string) => readdir(join(dir, 'quarantine'));

test('the newest comes back whole; within an epoch the later step is newer', async () => {
  await using folder = await temporaryFolder();
  const store = open(folder.path);
  assert.equal(await store.resume(), null);
  for (const [epoch, step] of [[1], [2], [2, 10], [2, 9]] as const) await store.save(state(epoch, step));
  const checkpoint = await open(folder.path, { token: 2 }).resume();
  assert.equal(checkpoint?.manifest.epoch, 2);
  assert.equal(checkpoint.manifest.token, 1);
  assert.equal(String(checkpoint.files['weights.bin']), 'weights of epoch 2, step 10');
});

test('only the last few are kept', async () => {
  await using folder = await temporaryFolder();
  const store = open(folder.path, { keepLast: 2 });
  for (let epoch = 1; epoch <= 5; epoch++) await store.save(state(epoch));
  assert.deepEqual((await readdir(folder.path)).sort(), [
    'epoch-00000004-step-00000000',
    'epoch-00000005-step-00000000',
  ]);
});

test('a truncated, flipped or incomplete checkpoint is set aside and the one before it taken', async () => {
  const damages: Record<string, (dir: string) => Promise<void>> = {
    truncated: (dir) => truncate(join(dir, 'weights.bin'), 3),
    flipped: async (dir) => {
      const bytes = await readFile(join(dir, 'weights.bin'));
      bytes[5]! ^= 0x10;
      await writeFile(join(dir, 'weights.bin'), bytes);
    },
    'without a file': (dir) => rm(join(dir, 'empty')),
    'without a manifest': (dir) => rm(join(dir, 'manifest.json')),
    'without the sum of its manifest': (dir) => rm(join(dir, 'manifest.sha256')),
    'with half a manifest': (dir) => truncate(join(dir, 'manifest.json'), 20),
  };
  for (const [name, damage] of Object.entries(damages)) {
    await using folder = await temporaryFolder();
    await open(folder.path).save(state(1));
    await damage(await open(folder.path).save(state(2)));
    const checkpoint = await open(folder.path).resume();
    assert.equal(checkpoint?.manifest.epoch, 1, name);
    assert.deepEqual(await quarantined(folder.path), ['epoch-00000002-step-00000000.1'], name);
    assert.ok((await open(folder.path).save(state(2))).endsWith('epoch-00000002-step-00000000'), name);
  }
});

test('any single flipped bit in any file of a checkpoint keeps it from being resumed', async () => {
  await using folder = await temporaryFolder();
  const path = await open(folder.path).save(state(1));
  const names = ['manifest.json', 'manifest.sha256', 'weights.bin'];
  const original = new Map(
    await Promise.all(names.map(async (n) => [n, await readFile(join(path, n))] as const)),
  );
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...names), fc.nat(), fc.nat(7), async (name, at, bit) => {
      await mkdir(path, { recursive: true });
      for (const [file, bytes] of original) await writeFile(join(path, file), bytes);
      await writeFile(join(path, 'empty'), '');
      const bytes = Buffer.from(original.get(name)!);
      bytes[at % bytes.length]! ^= 1 << bit;
      await writeFile(join(path, name), bytes);
      assert.equal(await open(folder.path).resume(), null);
    }),
    { numRuns: 60 },
  );
});

test('checkpoints of another job, data, configuration or code are set aside', async () => {
  for (const name of Object.keys(IDENTITY) as (keyof typeof IDENTITY)[]) {
    await using folder = await temporaryFolder();
    await open(folder.path).save(state(1));
    const other = name === 'job_id' ? 'job-2' : 'f'.repeat(64);
    assert.equal(await open(folder.path, { identity: { [name]: other } }).resume(), null, name);
    assert.deepEqual(await quarantined(folder.path), ['epoch-00000001-step-00000000.1'], name);
  }
});

test('a run whose token is older than the checkpoint is stale', async () => {
  await using folder = await temporaryFolder();
  await open(folder.path, { token: 5 }).save(state(1));
  await assert.rejects(open(folder.path, { token: 4 }).resume(), { code: 'stale_token' });
});

test('what a crash left half-written is neither resumed nor kept', async () => {
  await using folder = await temporaryFolder();
  await open(folder.path).save(state(1));
  await mkdir(join(folder.path, 'epoch-00000002-step-00000000.partial'));
  await writeFile(join(folder.path, 'epoch-00000002-step-00000000.partial', 'weights.bin'), 'half');
  assert.equal((await open(folder.path).resume())?.manifest.epoch, 1);
  assert.deepEqual(await readdir(folder.path), ['epoch-00000001-step-00000000']);
});
