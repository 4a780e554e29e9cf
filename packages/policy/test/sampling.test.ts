// When the evidence of a rollout is noted again: often at first, seldom later, and never not at all.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { isSampleDue, type Sampling } from '../src/index.ts';

const HOUR_MS = 3_600_000;

function due(over: Partial<Sampling>): boolean {
  return isSampleDue({
    startedMs: 1_000_000,
    lastMs: 1_000_000,
    nowMs: 1_000_000,
    stepSeconds: 300,
    ...over,
  });
}

test('the first is due at once', () => {
  assert.equal(due({ lastMs: null }), true);
});

test('a twentieth of a step lies between two, and never less than a second', () => {
  assert.equal(due({ nowMs: 1_014_999 }), false);
  assert.equal(due({ nowMs: 1_015_000 }), true);
  assert.equal(due({ stepSeconds: 1, nowMs: 1_000_999 }), false);
  assert.equal(due({ stepSeconds: 1, nowMs: 1_001_000 }), true);
});

test('in an old rollout it takes a 200th of its age', () => {
  const nowMs = 1_000_000 + 10 * HOUR_MS;
  const gapMs = (10 * HOUR_MS) / 200;
  assert.equal(due({ nowMs, lastMs: nowMs - gapMs + 1 }), false);
  assert.equal(due({ nowMs, lastMs: nowMs - gapMs }), true);
});

test('a clock that was set back does not end the samples', () => {
  assert.equal(due({ nowMs: 999_999 }), true);
});

test('half a year of looks, a minute apart, makes no more than 2,000 samples', () => {
  let [lastMs, samples]: [number | null, number] = [null, 0];
  for (let nowMs = 0; nowMs <= 183 * 24 * HOUR_MS; nowMs += 60_000)
    if (isSampleDue({ startedMs: 0, lastMs, nowMs, stepSeconds: 300 }))
      [lastMs, samples] = [nowMs, samples + 1];
  assert.ok(samples > 500 && samples <= 2_000, `${samples}`);
});

test('whatever was noted last, waiting long enough makes the next one due', () => {
  fc.assert(
    fc.property(
      fc.nat(1e9),
      fc.nat(1e9),
      fc.integer({ min: 0, max: 86_400 }),
      (startedMs, age, stepSeconds) => {
        const lastMs = startedMs + age;
        assert.ok(isSampleDue({ startedMs, lastMs, nowMs: lastMs + age + 1e8, stepSeconds }));
      },
    ),
  );
});
