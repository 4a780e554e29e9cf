import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import {
  errorShareEvidence,
  observeErrorShare,
  startErrorShare,
  type ErrorShareEvent,
  type ErrorShareState,
} from '../src/index.ts';

const weights = fc.double({ min: 1e-6, max: 1 - 1e-6, noNaN: true });
const arms = fc.constantFrom('stable' as const, 'candidate' as const);
const events = fc.array(fc.record({ arm: arms, weight: weights }), { maxLength: 40 });
const ratios = fc.double({ min: 0.1, max: 10, noNaN: true });

function after(toleratedRiskRatio: number, seen: readonly ErrorShareEvent[]): ErrorShareState {
  return seen.reduce(observeErrorShare, startErrorShare({ toleratedRiskRatio }));
}

function evidences(
  toleratedRiskRatio: number,
  bits: readonly number[],
  weights: readonly number[],
): string[] {
  return bits.map((_, i) => {
    const seen = bits
      .slice(0, i + 1)
      .map((bit, j) => ({ arm: bit === 1 ? 'candidate' : 'stable', weight: weights[j] ?? 0 }) as const);
    return errorShareEvidence(after(toleratedRiskRatio, seen)).evidence.toFixed(6);
  });
}

test('gives the reference values', () => {
  assert.deepEqual(evidences(1, [1, 1, 1, 1], [0.1, 0.1, 0.1, 0.1]), [
    '3.712275',
    '18.537355',
    '111.844148',
    '747.577047',
  ]);
  assert.deepEqual(evidences(1, [1, 0, 1, 1, 1, 0], [0.1, 0.1, 0.25, 0.25, 0.5, 0.5]), [
    '3.712275',
    '2.065043',
    '5.116425',
    '13.872357',
    '24.296685',
    '5.519556',
  ]);
  assert.deepEqual(evidences(1.5, [1, 1, 1, 0, 1], [0.1, 0.1, 0.25, 0.25, 0.25]), [
    '3.145581',
    '12.293219',
    '30.360442',
    '6.952982',
    '15.598970',
  ]);
});

test('starts with no evidence', () => {
  assert.equal(errorShareEvidence(startErrorShare({ toleratedRiskRatio: 2 })).evidence, 1);
});

test('is a fair game at the tolerated risk ratio, and a losing one below it', () => {
  fc.assert(
    fc.property(
      events,
      weights,
      ratios,
      fc.double({ min: 0, max: 1, noNaN: true }),
      (seen, weight, rho0, part) => {
        const state = after(rho0, seen);
        const expected = (rho: number): number => {
          const chance = (weight * rho) / (weight * rho + 1 - weight);
          const up = errorShareEvidence(observeErrorShare(state, { arm: 'candidate', weight })).logEvidence;
          const down = errorShareEvidence(observeErrorShare(state, { arm: 'stable', weight })).logEvidence;
          const now = errorShareEvidence(state).logEvidence;
          return chance * Math.exp(up - now) + (1 - chance) * Math.exp(down - now);
        };
        assert.ok(Math.abs(expected(rho0) - 1) < 1e-9);
        assert.ok(expected(rho0 * part) <= 1 + 1e-9);
      },
    ),
  );
});

test('does not depend on the order of the events', () => {
  fc.assert(
    fc.property(events, (seen) => {
      const forth = errorShareEvidence(after(1, seen)).logEvidence;
      const back = errorShareEvidence(after(1, seen.toReversed())).logEvidence;
      assert.ok(Math.abs(forth - back) < 1e-9);
    }),
  );
});

test('an error of the candidate raises the evidence, one of the stable version lowers it', () => {
  fc.assert(
    fc.property(events, weights, ratios, (seen, weight, rho0) => {
      const state = after(rho0, seen);
      const now = errorShareEvidence(state).logEvidence;
      assert.ok(errorShareEvidence(observeErrorShare(state, { arm: 'candidate', weight })).logEvidence > now);
      assert.ok(errorShareEvidence(observeErrorShare(state, { arm: 'stable', weight })).logEvidence < now);
    }),
  );
});

test('tolerating more takes more evidence', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 30 }), weights, (count, weight) => {
      const seen = Array.from({ length: count }, () => ({ arm: 'candidate', weight }) as const);
      assert.ok(
        errorShareEvidence(after(2, seen)).logEvidence < errorShareEvidence(after(1, seen)).logEvidence,
      );
    }),
  );
});

test('where the assignment was not by chance, nothing changes', () => {
  const state = after(1, [{ arm: 'candidate', weight: 0.1 }]);
  for (const weight of [0, 1]) {
    assert.deepEqual(observeErrorShare(state, { arm: 'candidate', weight }), state);
    assert.deepEqual(observeErrorShare(state, { arm: 'stable', weight }), state);
  }
  assert.throws(() => observeErrorShare(state, { arm: 'stable', weight: 1.1 }), /weight/);
  assert.throws(() => observeErrorShare(state, { arm: 'stable', weight: -0.1 }), /weight/);
  assert.throws(() => startErrorShare({ toleratedRiskRatio: 0 }), /positive/);
});

test('stays finite in logarithms where the evidence overflows, and survives JSON', () => {
  const seen = Array.from({ length: 1000 }, () => ({ arm: 'candidate', weight: 0.1 }) as const);
  const state = after(1, seen);
  const { evidence, logEvidence } = errorShareEvidence(state);
  assert.equal(evidence, Infinity);
  // All of it is the highest bet: 1000 * ln(q_30/0.1) less ln 6.
  assert.ok(Math.abs(logEvidence - (1000 * Math.log(3 / 3.9 / 0.1) - Math.log(6))) < 1e-6);
  assert.deepEqual(JSON.parse(JSON.stringify(state)), state);
});
