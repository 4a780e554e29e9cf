import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { decideGate, decideGateFailure, type GateCounts } from '../src/index.ts';

function counts(candidateOnly: number, championOnly: number, bothCorrect = 10): GateCounts {
  return {
    candidateOnly,
    championOnly,
    rows: candidateOnly + championOnly + bothCorrect + 5,
    candidateCorrect: bothCorrect + candidateOnly,
    championCorrect: bothCorrect + championOnly,
  };
}

test('the p-value is the exact sign test', () => {
  assert.equal(decideGate(counts(0, 5)).pValue.toFixed(12), (1 / 32).toFixed(12));
  assert.equal(decideGate(counts(1, 5)).pValue.toFixed(12), (7 / 64).toFixed(12));
  assert.equal(decideGate(counts(2, 8)).pValue.toFixed(12), (56 / 1024).toFixed(12));
  assert.equal(decideGate(counts(1, 9)).pValue.toFixed(12), (11 / 1024).toFixed(12));
});

test('it stops at 5 %: 0 to 5 is worse, 0 to 4 and 2 to 8 are not clearly', () => {
  assert.equal(decideGate(counts(0, 5)).pass, false);
  assert.equal(decideGate(counts(0, 4)).pass, true);
  assert.equal(decideGate(counts(2, 8)).pass, true);
  assert.equal(decideGate(counts(1, 9)).pass, false);
});

test('the reason is a sentence for a person', () => {
  assert.equal(
    decideGate(counts(1, 9)).reason,
    '11 of 25 held-out rows correct, champion 19; clearly worse: where just one of them was correct, the champion was in 9 of 10.',
  );
  assert.match(decideGate(counts(3, 2)).reason, /not clearly worse/);
  assert.match(decideGate(counts(0, 0)).reason, /never differed/);
  const none = { rows: 0, candidateCorrect: 0, championCorrect: 0, candidateOnly: 0, championOnly: 0 };
  assert.equal(decideGate(none).pass, true);
  assert.match(decideGate(none).reason, /no held-out rows/);
});

test('a gate without an answer is tried three times, ever later, then the candidate is rejected', () => {
  const decisions = [1, 2, 3].map((failures) => decideGateFailure(failures, 'its graph does not load'));
  assert.deepEqual(
    decisions.map((d) => [d.go, d.go === 'retry' ? d.afterMs : null]),
    [
      ['retry', 10_000],
      ['retry', 20_000],
      ['reject', null],
    ],
  );
  assert.equal(
    decisions[2]?.reason,
    'The offline gate could not score it (3 of 3 tries): its graph does not load',
  );
});

const wins = fc.nat({ max: 3000 });
test('a better or equal candidate always passes, and the p-value is a probability', () => {
  fc.assert(
    fc.property(wins, wins, (a, b) => {
      const { pass, pValue } = decideGate(counts(a, b));
      assert.ok(pValue > 0 || a + b > 500);
      assert.ok(pValue <= 1);
      if (a >= b) assert.ok(pass);
    }),
  );
});

test('one more loss never helps, one more win never hurts', () => {
  fc.assert(
    fc.property(fc.nat({ max: 300 }), fc.nat({ max: 300 }), (a, b) => {
      const now = decideGate(counts(a, b)).pValue;
      assert.ok(decideGate(counts(a, b + 1)).pValue <= now + 1e-12);
      assert.ok(decideGate(counts(a + 1, b)).pValue >= now - 1e-12);
    }),
  );
});

test('both tails of the sign test together are one, less what they share', () => {
  fc.assert(
    fc.property(fc.nat({ max: 200 }), fc.integer({ min: 1, max: 200 }), (a, b) => {
      // P(X >= b) + P(X >= a+1) = 1 for n = a + b fair tosses.
      const upper = decideGate(counts(a, b)).pValue;
      const lower = decideGate(counts(b - 1, a + 1)).pValue;
      assert.ok(Math.abs(upper + lower - 1) < 1e-10);
    }),
  );
});

test('counts that contradict each other are refused', () => {
  assert.throws(() => decideGate({ ...counts(1, 2), candidateCorrect: 3 }), /both sides/);
  // Eleven that the candidate had right, and two that only the champion had: thirteen rows at least.
  assert.throws(() => decideGate({ ...counts(1, 2), rows: 12 }), /no more correct answers than rows/);
  assert.equal(decideGate({ ...counts(1, 2), rows: 13 }).pass, true);
  assert.throws(() => decideGate({ ...counts(1, 2), rows: 20.5 }), /whole/);
  assert.throws(() => decideGate({ ...counts(1, 2), candidateOnly: -1, candidateCorrect: 9 }), /whole/);
  assert.throws(
    () => decideGate({ ...counts(3, 3), candidateCorrect: 2, championCorrect: 2 }),
    /more correct/,
  );
  for (const failures of [0, 1.5])
    assert.throws(() => decideGateFailure(failures, 'x'), /a failure has happened/);
});
