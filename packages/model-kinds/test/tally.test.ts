import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { Tally } from '../src/nlu/tally.ts';

test('counts as a Map does, in the same order, whatever was counted before', () => {
  const tally = new Tally();
  // Few low bits, so that many share a slot; and enough of them to grow more than once.
  const key = fc.oneof(
    fc.integer({ min: -50, max: 50 }),
    fc.nat(3_000).map((n) => n << 12),
    fc.integer(),
  );
  fc.assert(
    fc.property(fc.array(key, { maxLength: 5_000, size: 'max' }), (keys) => {
      const map = new Map<number, number>();
      for (const one of keys) {
        tally.add(one);
        map.set(one, (map.get(one) ?? 0) + 1);
      }
      assert.equal(tally.size, map.size);
      const taken = tally.take();
      assert.deepEqual([...taken.keys], [...map.keys()]);
      assert.deepEqual([...taken.counts], [...map.values()]);
      assert.equal(tally.size, 0);
    }),
    { numRuns: 60 },
  );
});

test('what was taken stays as it was', () => {
  const tally = new Tally();
  tally.add(7);
  const first = tally.take();
  tally.add(8);
  tally.take();
  assert.deepEqual([[...first.keys], [...first.counts]], [[7], [1]]);
});
