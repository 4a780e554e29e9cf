import assert from 'node:assert/strict';
import { readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { isCorrect, loadModel, nlu, parseInput, sha256Hex } from '@jarvis/model-kinds';
import { sampleArtifact } from './sample-artifact.ts';

const intents = (predictions: readonly { output: Record<string, unknown> }[]) =>
  predictions.map(({ output }) => output['intent']);

async function flipBit(path: string, at: number): Promise<void> {
  const bytes = await readFile(path);
  bytes[at]! ^= 1;
  await writeFile(path, bytes);
}

test('predictions: one an input, in order, alone or together', async () => {
  await using sample = await sampleArtifact();
  const model = await loadModel(sample.dir);
  const inputs = [{ text: 'jazz' }, { text: 'good evening' }, { text: 'rain' }, { text: '?!' }];
  const together = await model.predict(inputs);
  assert.deepEqual(intents(together), ['music', 'oos', 'weather', 'oos']);
  assert.ok(together.every(({ confidence }) => confidence > 0 && confidence <= 1));
  for (const [i, input] of inputs.entries()) {
    const [alone] = await model.predict([input]);
    assert.equal(alone?.output['intent'], together[i]?.output['intent']);
    assert.ok(Math.abs(alone!.confidence - together[i]!.confidence) < 1e-6);
  }
  assert.deepEqual(await model.predict([]), []);
  await model.dispose();
  await model.dispose();
  await assert.rejects(model.predict([{ text: 'jazz' }]), /disposed/);
});

test('a long batch of long texts is split into runs and comes back whole', async () => {
  await using sample = await sampleArtifact();
  const model = await loadModel(sample.dir);
  const words = Array.from({ length: 600 }, (_, i) => `w${i}`).join(' ');
  const inputs = Array.from({ length: 50 }, (_, i) => ({ text: i % 2 === 0 ? 'jazz' : words }));
  assert.deepEqual(
    intents(await model.predict(inputs)),
    inputs.map((_, i) => (i % 2 === 0 ? 'music' : 'oos')),
  );
  await model.dispose();
});

test('a flipped bit in any file, or a cut one, is artifact_corrupt', async () => {
  for (const name of [nlu.GRAPH_FILE, nlu.VOCABULARY_FILE]) {
    await using sample = await sampleArtifact();
    await flipBit(join(sample.dir, name), 40);
    await assert.rejects(loadModel(sample.dir), {
      code: 'artifact_corrupt',
      message: new RegExp(`${name} has SHA-256`),
    });
    await truncate(join(sample.dir, name), 10);
    await assert.rejects(loadModel(sample.dir), {
      code: 'artifact_corrupt',
      message: new RegExp(`${name} has 10 bytes`),
    });
  }
});

test('model.json under another address than asked for is artifact_corrupt', async () => {
  await using sample = await sampleArtifact();
  const sha256 = sha256Hex(await readFile(join(sample.dir, 'model.json')));
  const model = await loadModel(sample.dir, { sha256 });
  assert.equal(model.sha256, sha256);
  await model.dispose();
  await assert.rejects(loadModel(sample.dir, { sha256: '1'.repeat(64) }), { code: 'artifact_corrupt' });
});

test('absent files, no JSON and no manifest are artifact_unreadable', async () => {
  await using sample = await sampleArtifact();
  await rm(join(sample.dir, nlu.VOCABULARY_FILE));
  await assert.rejects(loadModel(sample.dir), { code: 'artifact_unreadable' });
  await writeFile(join(sample.dir, 'model.json'), '{');
  await assert.rejects(loadModel(sample.dir), { code: 'artifact_unreadable', message: /is not JSON/ });
  await writeFile(join(sample.dir, 'model.json'), '{"format": 1}');
  await assert.rejects(loadModel(sample.dir), {
    code: 'artifact_unreadable',
    message: /is not a model manifest: kind/,
  });
  await assert.rejects(loadModel(join(sample.dir, 'nowhere')), { code: 'artifact_unreadable' });
});

test('a graph that ONNX Runtime refuses is artifact_unreadable, though its digest fits', async () => {
  const bytes = Buffer.from('not a graph');
  await using sample = await sampleArtifact((manifest) => {
    const files = manifest['files'] as Record<string, unknown>;
    files[nlu.GRAPH_FILE] = { bytes: bytes.byteLength, sha256: sha256Hex(bytes) };
  });
  await writeFile(join(sample.dir, nlu.GRAPH_FILE), bytes);
  await assert.rejects(loadModel(sample.dir), { code: 'artifact_unreadable', message: /ONNX Runtime/ });
});

test('other kinds and other encodings are artifact_unsupported', async () => {
  await using llm = await sampleArtifact((manifest) => {
    manifest['kind'] = 'llm';
  });
  await assert.rejects(loadModel(llm.dir), { code: 'artifact_unsupported' });
  await using future = await sampleArtifact((manifest) => {
    manifest['encoding'] = { scheme: 'hashed-ngrams-2' };
  });
  await assert.rejects(loadModel(future.dir), { code: 'artifact_unsupported' });
});

test('a manifest that names no graph, or too few features, says so', async () => {
  await using nameless = await sampleArtifact((manifest) => {
    manifest['files'] = {};
  });
  await assert.rejects(loadModel(nameless.dir), { code: 'artifact_unreadable', message: /names no file/ });
  await using short = await sampleArtifact((manifest) => {
    (manifest['encoding'] as Record<string, unknown>)['features'] = 1;
  });
  await assert.rejects(loadModel(short.dir), { code: 'artifact_corrupt' });
});

test('parseInput keeps the text and drops the rest; anything else is invalid_request', () => {
  assert.deepEqual(parseInput('nlu', { text: 'hi', speaker: 'x' }), { text: 'hi' });
  for (const input of [{}, { text: '' }, { text: 5 }, null, { text: 'x'.repeat(5000) }]) {
    assert.throws(() => parseInput('nlu', input), { code: 'invalid_request' });
  }
  assert.throws(() => parseInput('llm', { text: 'hi' }), { code: 'artifact_unsupported' });
});

test('isCorrect compares intents', () => {
  assert.equal(isCorrect('nlu', { intent: 'a' }, { intent: 'a' }), true);
  assert.equal(isCorrect('nlu', { intent: 'a' }, { intent: 'b' }), false);
  assert.equal(isCorrect('nlu', {}, {}), false);
});
