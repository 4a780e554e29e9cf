// Which answers are slow: above the 95th percentile, if enough are known, and never below what anybody notices.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { LATENCIES_MIN, slowLimitMs } from '../src/index.ts';

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

test('the 95th percentile, in whatever order they came; the list is left as it is', () => {
  assert.equal(slowLimitMs(upTo(100)), 95);
  assert.equal(slowLimitMs(upTo(1000)), 950);
  const backwards = upTo(100).reverse();
  assert.equal(slowLimitMs(backwards), 95);
  assert.deepEqual(backwards, upTo(100).reverse());
});

test('of too few nothing is said', () => {
  assert.equal(slowLimitMs([]), null);
  assert.equal(slowLimitMs(upTo(LATENCIES_MIN - 1)), null);
  assert.notEqual(slowLimitMs(upTo(LATENCIES_MIN)), null);
});

test('what nobody notices is not slow', () => {
  assert.equal(slowLimitMs(upTo(100).map((ms) => ms / 100)), 20);
});

test('at most a twentieth of those that it was made from lie above it', () => {
  const latencies = fc.array(fc.double({ min: 0, max: 1e6, noNaN: true }), {
    minLength: 100,
    maxLength: 300,
  });
  fc.assert(
    fc.property(latencies, (list) => {
      const limit = slowLimitMs(list);
      assert.ok(limit !== null);
      assert.ok(list.filter((ms) => ms > limit).length <= list.length / 20);
    }),
  );
});
