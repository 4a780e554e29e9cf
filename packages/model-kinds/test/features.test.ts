import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { nlu } from '@jarvis/model-kinds';

const sorted = (text: string) => [...nlu.countFeatures(text).hashes].sort((a, b) => a - b);

test('the hashes of scheme hashed-ngrams-1 stay what stored models were made with', () => {
  assert.deepEqual(
    sorted('hi'),
    [
      -1882036660, -1512649621, -1338126346, -1029281650, -895083593, -105298286, 97243279, 312771254,
      835073178,
    ],
  );
});

test('case, width, space and the form of the apostrophe make no difference', () => {
  assert.deepEqual(sorted("  What's   UP "), sorted('what’s up'));
  assert.deepEqual(sorted('ｐｌａｙ jazz'), sorted('play jazz'));
});

test('the order of words makes a difference', () => {
  assert.notDeepEqual(sorted('dog bites man'), sorted('man bites dog'));
});

test('a text without letters or digits has no features', () => {
  assert.equal(nlu.countFeatures(' ... !? ').hashes.length, 0);
});

test('any text: hashes are distinct, each counted at least once, and the vector has length 1 or 0', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 200 }), (text) => {
      const { hashes, counts } = nlu.countFeatures(text);
      assert.equal(new Set(hashes).size, hashes.length);
      assert.ok(counts.every((count) => count >= 1));
      const vocabulary = nlu.makeVocabulary(hashes, new Float32Array(hashes.length).fill(2), 1);
      const squares = nlu.encode(vocabulary, text).values.reduce((sum, value) => sum + value * value, 0);
      assert.ok(hashes.length === 0 ? squares === 0 : Math.abs(squares - 1) < 1e-5);
    }),
  );
});

test('unknown features have no row but shorten the vector', () => {
  const known = nlu.countFeatures('play jazz').hashes;
  const vocabulary = nlu.makeVocabulary(known, new Float32Array(known.length).fill(1), 3);
  const length = (text: string) => Math.hypot(...nlu.encode(vocabulary, text).values);
  assert.ok(Math.abs(length('play jazz') - 1) < 1e-6);
  assert.ok(length('play jazz xylophonically') < 0.6);
});

test('a vocabulary comes back from its bytes as it was', () => {
  const { hashes } = nlu.countFeatures('turn on the lights');
  const idf = Float32Array.from(hashes, (_, i) => 1 + i / 7);
  const written = nlu.writeVocabulary(nlu.makeVocabulary(hashes, idf, 2.5));
  const read = nlu.readVocabulary(written, hashes.length, 2.5);
  assert.deepEqual(read, nlu.makeVocabulary(hashes, idf, 2.5));
  assert.throws(() => nlu.readVocabulary(written.subarray(1), hashes.length, 2.5), RangeError);
});

test('decide: the best intent, unless `oos` is likelier or nothing is likely enough', () => {
  const labels = ['a', 'b', 'oos'];
  const answer = (probabilities: number[], threshold: number) =>
    nlu.decide(labels, Float32Array.from(probabilities), threshold).intent;
  assert.equal(answer([0.5, 0.25, 0.25], 0.4), 'a');
  assert.equal(answer([0.25, 0.25, 0.5], 0.1), 'oos');
  assert.equal(answer([0.5, 0.25, 0.25], 0.6), 'oos');
  assert.equal(nlu.decide(['a'], Float32Array.of(0.9, 0.75), 0.5, 1).confidence, 0.75);
});
