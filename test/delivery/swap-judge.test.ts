// The judge of swaps knows an answer that comes too early, one that comes too late, and one that only looks late.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Answered, appliedBy, quantile, strangers, type Turn } from './swap-judge.ts';

const turns: Turn[] = [
  { version: 'a', notBeforeMs: 0, seenMs: 10 },
  { version: 'b', notBeforeMs: 100, seenMs: 180 },
  { version: 'a', notBeforeMs: 200, seenMs: 280 },
];
const answer = (version: string, startMs: number, endMs: number): Answered => ({
  startMs,
  endMs,
  version,
  tookMs: endMs - startMs,
  status: 200,
  confidence: 1,
  trouble: '',
});

test('what was routed at some moment between start and end may answer', () => {
  const answers = [
    answer('a', 20, 25),
    // Ran already when b took over, which the next one shows.
    answer('a', 125, 170),
    answer('b', 120, 130),
    answer('b', 190, 250),
    answer('a', 205, 230),
  ];
  assert.deepEqual(strangers(answers, turns), []);
  assert.deepEqual(appliedBy(answers, turns), [10, 130, 230]);
});

test('an answer before its version was published is told, and one that began after its version was replaced', () => {
  assert.equal(strangers([answer('b', 50, 99)], turns).length, 1);
  assert.equal(strangers([answer('b', 120, 130), answer('a', 131, 140)], turns).length, 1);
  assert.equal(strangers([answer('b', 281, 285)], turns).length, 1, 'health told of the third turn');
  assert.equal(strangers([answer('c', 20, 25)], turns).length, 1);
});

test('a late answer of an earlier turn does not show that a later turn of the same version is applied', () => {
  const late = answer('a', 95, 215);
  const answers = [answer('b', 120, 130), late, answer('b', 216, 220)];
  assert.deepEqual(strangers(answers, turns), []);
});

test('quantiles', () => {
  const values = Array.from({ length: 100 }, (_, i) => 99 - i);
  assert.equal(quantile(values, 0.5), 50);
  assert.equal(quantile(values, 0.99), 99);
});
