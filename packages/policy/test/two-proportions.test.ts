import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import {
  observeBlock,
  proportionsEvidence,
  startProportions,
  type ArmCounts,
  type ProportionsAlternative,
  type ProportionsState,
} from '../src/index.ts';

/** The sequences of the vignette of safestats, with its e-value of 48222. */
const PUBLISHED_A =
  '00000110000010000000100000010000001000001001000010001000001100000000000000000000000001001010001';
const PUBLISHED_B =
  '10000010011100011011100110111111010010000111100110111101010111011011010110001011000101110010001';

const ONE_EACH: ArmCounts = { stable: 1, candidate: 1 };
const ALTERNATIVES = ['differs', 'candidate_more'] as const;
const sizes = fc.record({
  stable: fc.integer({ min: 1, max: 4 }),
  candidate: fc.integer({ min: 1, max: 4 }),
});
// Hundredths: doubles as fast-check draws them are next to 0 most of the time.
const rates = fc.integer({ min: 0, max: 100 }).map((hundredths) => hundredths / 100);
const parts = fc.array(fc.record({ stable: rates, candidate: rates }), { maxLength: 15 });

function after(start: ProportionsState, blocks: readonly ArmCounts[]): ProportionsState {
  return blocks.reduce(observeBlock, start);
}

/** Evidence after each pair of the sequences. */
function evidences(a: string, b: string, alternative: ProportionsAlternative): number[] {
  let state = startProportions({ blockSizes: ONE_EACH, alternative });
  return Array.from(a, (bit, i) => {
    state = observeBlock(state, { stable: Number(bit), candidate: Number(b[i]) });
    return proportionsEvidence(state).evidence;
  });
}

/** A history that fits the sizes: so large a part of each block were events. */
function fitting(n: ArmCounts, history: readonly ArmCounts[]): ArmCounts[] {
  return history.map((part) => ({
    stable: Math.round(part.stable * n.stable),
    candidate: Math.round(part.candidate * n.candidate),
  }));
}

test('gives the published value, and crosses 20 at the published block', () => {
  const seen = evidences(PUBLISHED_A, PUBLISHED_B, 'differs');
  assert.equal(seen.length, 95);
  assert.equal(seen.at(-1)?.toFixed(4), '48221.9066');
  assert.equal(seen.findIndex((e) => e >= 20) + 1, 34);
});

test('one-sided: as two-sided while the candidate leads, and blind to one that lags', () => {
  // b never lags in the published sequences, so no block is left out.
  assert.deepEqual(
    evidences(PUBLISHED_A, PUBLISHED_B, 'candidate_more'),
    evidences(PUBLISHED_A, PUBLISHED_B, 'differs'),
  );
  const lagging = evidences(PUBLISHED_B, PUBLISHED_A, 'candidate_more');
  assert.ok(
    lagging.every((e) => e === 1),
    `${lagging.at(-1)}`,
  );
  assert.equal(evidences(PUBLISHED_B, PUBLISHED_A, 'differs').at(-1)?.toFixed(4), '48221.9066');
});

test('is no winning game under what it speaks against, after any history', () => {
  fc.assert(
    fc.property(sizes, parts, rates, rates, (n, history, theta, share) => {
      for (const alternative of ALTERNATIVES) {
        const state = after(startProportions({ blockSizes: n, alternative }), fitting(n, history));
        // One-sided also where the candidate's proportion is smaller.
        const least = alternative === 'differs' ? theta : theta * share;
        let expected = 0;
        for (let a = 0; a <= n.stable; a += 1) {
          for (let b = 0; b <= n.candidate; b += 1) {
            const next = observeBlock(state, { stable: a, candidate: b });
            const gain = Math.exp(next.logEvidence - state.logEvidence);
            expected += chance(n.stable, a, theta) * chance(n.candidate, b, least) * gain;
          }
        }
        assert.ok(expected <= 1 + 1e-9, `${alternative}: ${expected}`);
      }
    }),
  );
});

function chance(n: number, k: number, p: number): number {
  let ways = 1;
  for (let i = 1; i <= k; i += 1) ways = (ways * (n - k + i)) / i;
  return ways * p ** k * (1 - p) ** (n - k);
}

test('blocks of unequal sizes: computed by hand', () => {
  const start = startProportions({ blockSizes: { stable: 1, candidate: 2 }, alternative: 'differs' });
  // Before the first block both guesses are 1/2, so it is no evidence.
  const first = observeBlock(start, { stable: 0, candidate: 2 });
  assert.equal(first.logEvidence, 0);
  // Then (0 + .18) / 1.36 and (2 + .36) / 2.72; both together (1 * .132353 + 2 * .867647) / 3.
  const second = observeBlock(first, { stable: 0, candidate: 1 });
  const [a, b] = [0.18 / 1.36, 2.36 / 2.72];
  const common = (a + 2 * b) / 3;
  const expected = ((1 - a) * b * (1 - b)) / (common * (1 - common) ** 2);
  assert.ok(Math.abs(proportionsEvidence(second).evidence / expected - 1) < 1e-12);
});

test('either way is one and the same question where the arms change places', () => {
  fc.assert(
    fc.property(sizes, parts, ({ stable: size }, history) => {
      const blockSizes = { stable: size, candidate: size };
      const blocks = fitting(blockSizes, history);
      const turned = blocks.map(({ stable, candidate }) => ({ stable: candidate, candidate: stable }));
      const start = startProportions({ blockSizes, alternative: 'differs' });
      assert.ok(Math.abs(after(start, blocks).logEvidence - after(start, turned).logEvidence) < 1e-9);
    }),
  );
});

test('is plain JSON, finite in logarithms where the evidence overflows', () => {
  const blocks = Array.from({ length: 2000 }, () => ({ stable: 0, candidate: 1 }));
  const state = after(startProportions({ blockSizes: ONE_EACH, alternative: 'differs' }), blocks);
  assert.equal(proportionsEvidence(state).evidence, Infinity);
  assert.ok(Number.isFinite(state.logEvidence));
  assert.deepEqual(JSON.parse(JSON.stringify(state)), state);
});

test('impossible blocks are refused', () => {
  for (const size of [0, -1, 1.5]) {
    const blockSizes = [
      { stable: size, candidate: 1 },
      { stable: 1, candidate: size },
    ];
    for (const wrong of blockSizes)
      assert.throws(() => startProportions({ blockSizes: wrong, alternative: 'differs' }), /at least one/);
  }
  const start = startProportions({ blockSizes: ONE_EACH, alternative: 'differs' });
  for (const wrong of [-1, 2, 0.5]) {
    assert.throws(() => observeBlock(start, { stable: wrong, candidate: 0 }), /no more events/);
    assert.throws(() => observeBlock(start, { stable: 0, candidate: wrong }), /no more events/);
  }
});
