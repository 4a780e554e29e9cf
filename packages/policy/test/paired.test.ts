// Guard 2: pairs of answers, judged later; by who was asked, and by who spoke up.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import {
  type JudgedPair,
  mirrored,
  observePair,
  pairedAccuracyEvidence,
  pairedEvidence,
  type PairedState,
  startPaired,
  wrongOf,
} from '../src/index.ts';

const arms = fc.constantFrom('stable' as const, 'candidate' as const);
const weights = fc.double({ min: 0.01, max: 0.99, noNaN: true });
const pairs: fc.Arbitrary<JudgedPair> = fc.record({
  wrong: arms,
  served: arms,
  weight: weights,
  asked: fc.boolean(),
  firstOfSession: fc.constant(true),
});

function after(seen: readonly JudgedPair[]): PairedState {
  return seen.reduce(observePair, startPaired());
}
const evidence = (state: PairedState): number => pairedEvidence(state).evidence;

test('pairs of those who were asked give the reference values, whoever served them and at whatever weight', () => {
  fc.assert(
    fc.property(arms, fc.double({ min: 0, max: 1, noNaN: true }), (served, weight) => {
      const pair = { served, weight, asked: true, firstOfSession: false };
      const lost = (wrong: JudgedPair['wrong'], count: number): JudgedPair[] =>
        Array.from({ length: count }, () => ({ ...pair, wrong }));
      const figure = (c: number, s: number): string =>
        evidence(after([...lost('candidate', c), ...lost('stable', s)])).toPrecision(6);
      assert.equal(figure(5, 0), '10.5000');
      assert.equal(figure(6, 0), '18.1429');
      assert.equal(figure(10, 3), '3.97453');
      // ROLLOUT-STATISTICS has 0.640827; by hand and by summation it is 0.640826.
      assert.equal(figure(12, 8), '0.640826');
    }),
  );
});

test('a fair game when both are equally accurate, if only wrong answers are told of, or only right ones, at any weight', () => {
  fc.assert(
    fc.property(fc.array(pairs, { maxLength: 30 }), weights, fc.boolean(), (seen, weight, toldWrong) => {
      const state = after(seen);
      const of = (served: JudgedPair['served']): number => {
        const other = served === 'stable' ? 'candidate' : 'stable';
        const wrong = toldWrong ? served : other;
        const pair = { wrong, served, weight, asked: false, firstOfSession: true };
        return Math.exp(
          pairedEvidence(observePair(state, pair)).logEvidence - pairedEvidence(state).logEvidence,
        );
      };
      // With equal accuracy the answer that was told of is the candidate's with chance `weight`.
      assert.ok(Math.abs(weight * of('candidate') + (1 - weight) * of('stable') - 1) < 1e-9);
    }),
  );
});

test('a candidate that is served to three of four and as accurate is not accused for losing three of four such pairs', () => {
  const spoken = Array.from({ length: 400 }, (_, i): JudgedPair => {
    const served = i % 4 === 0 ? 'stable' : 'candidate';
    return { wrong: served, served, weight: 0.75, asked: false, firstOfSession: true };
  });
  assert.ok(evidence(after(spoken)) < 1);
  // The same counts, taken as if they had been asked for, would have sent it back.
  assert.ok(evidence(after(spoken.map((pair) => ({ ...pair, asked: true })))) > 1e6);
});

test('who speaks up counts once a session, and not where nobody was assigned by chance', () => {
  const pair = { wrong: 'candidate', served: 'candidate', weight: 0.1, asked: false } as const;
  const once = after([{ ...pair, firstOfSession: true }]);
  assert.deepEqual(observePair(once, { ...pair, firstOfSession: false }), once);
  for (const weight of [0, 1])
    assert.deepEqual(observePair(once, { ...pair, weight, firstOfSession: true }), once);
  assert.throws(() => observePair(once, { ...pair, weight: 1.1, firstOfSession: true }), /weight/);
});

test('a lost pair raises the evidence and a won one lowers it', () => {
  fc.assert(
    fc.property(fc.array(pairs, { maxLength: 30 }), pairs, (seen, pair) => {
      const state = after(seen);
      const of = (wrong: JudgedPair['wrong']): number =>
        pairedEvidence(observePair(state, { ...pair, wrong, served: pair.served })).logEvidence;
      assert.ok(of('candidate') > pairedEvidence(state).logEvidence);
      assert.ok(of('stable') < pairedEvidence(state).logEvidence);
    }),
  );
});

test('mirrored, the same pairs speak for the candidate', () => {
  const seen = { candidateWrong: 1, stableWrong: 9 };
  assert.ok(pairedAccuracyEvidence(seen).evidence < 1);
  assert.equal(
    pairedAccuracyEvidence(mirrored(seen)).evidence,
    pairedAccuracyEvidence({ candidateWrong: 9, stableWrong: 1 }).evidence,
  );
});

test('whose answer was wrong: only where just one was', () => {
  assert.equal(wrongOf({ stable: true, candidate: false }), 'candidate');
  assert.equal(wrongOf({ stable: false, candidate: true }), 'stable');
  assert.equal(wrongOf({ stable: true, candidate: true }), null);
  assert.equal(wrongOf({ stable: false, candidate: false }), null);
});

test('is plain JSON', () => {
  fc.assert(
    fc.property(fc.array(pairs, { maxLength: 30 }), (seen) => {
      assert.deepEqual(JSON.parse(JSON.stringify(after(seen))), after(seen));
    }),
  );
});
