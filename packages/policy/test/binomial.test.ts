// The binomial distribution, against exact whole numbers.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { fairUpperTail, logChoose } from '../src/rollout/binomial.ts';

/** C(n, k) by Pascal's rule. */
function choose(n: number, k: number): number {
  let row = [1];
  for (let i = 0; i < n; i += 1) row = [1, ...row.map((x, j) => x + (row[j + 1] ?? 0))];
  return row[k] ?? 0;
}
const sizes = fc.integer({ min: 0, max: 40 });

test('C(n, k) is that of Pascal, from both sides', () => {
  fc.assert(
    fc.property(sizes, fc.nat(40), (n, j) => {
      const k = Math.min(j, n);
      assert.ok(Math.abs(Math.exp(logChoose(n, k)) / choose(n, k) - 1) < 1e-12);
      assert.ok(Math.abs(logChoose(n, k) - logChoose(n, n - k)) < 1e-12);
    }),
  );
  assert.equal(logChoose(7, 0), 0);
  assert.equal(logChoose(7, 7), 0);
});

test('k heads or more of n fair tosses are as likely as counting says', () => {
  fc.assert(
    fc.property(sizes, fc.integer({ min: -3, max: 40 }), (n, j) => {
      const k = Math.min(j, n);
      let ways = 0;
      for (let i = Math.max(0, k); i <= n; i += 1) ways += choose(n, i);
      assert.ok(Math.abs(fairUpperTail(n, k) - ways / 2 ** n) < 1e-12);
    }),
  );
});

test('it is a chance: no more heads than tosses is certain, and rounding never makes it more than that', () => {
  for (let n = 0; n <= 60; n += 1) {
    assert.equal(fairUpperTail(n, 0), 1);
    assert.equal(fairUpperTail(n, -1), 1);
    for (let k = 1; k <= n; k += 1) assert.ok(fairUpperTail(n, k) <= 1);
  }
});
