import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { expendableCheckpoints, type StoredCheckpoint } from '../src/index.ts';

const checkpoint = fc.record({ epoch: fc.nat({ max: 500 }), inUse: fc.boolean(), verified: fc.boolean() });
const checkpoints = fc
  .uniqueArray(checkpoint, { selector: (c) => c.epoch, maxLength: 30 })
  .map((list): StoredCheckpoint[] => list.map((c) => ({ ...c, path: `epoch-${c.epoch}` })));
const kepts = fc.integer({ min: 1, max: 10 });

test('keeps the newest, those in use, and leaves broken ones to others', () => {
  const list = [1, 2, 3, 4, 5, 6].map((epoch) => ({
    path: `epoch-${epoch}`,
    epoch,
    inUse: epoch === 2,
    verified: epoch !== 6,
  }));
  assert.deepEqual(expendableCheckpoints(list, { kept: 2 }), ['epoch-1', 'epoch-3']);
});

test('never names one that is in use, unverified or among the newest verified ones', () => {
  fc.assert(
    fc.property(checkpoints, kepts, (list, kept) => {
      const gone = new Set(expendableCheckpoints(list, { kept }));
      const left = list.filter((c) => !gone.has(c.path));
      assert.ok(list.filter((c) => c.inUse || !c.verified).every((c) => !gone.has(c.path)));
      const verified = list.filter((c) => c.verified).toSorted((a, b) => b.epoch - a.epoch);
      assert.ok(verified.slice(0, kept).every((c) => !gone.has(c.path)));
      assert.ok(left.filter((c) => c.verified && !c.inUse).length <= kept);
    }),
  );
});

test('once they are gone, no more go; the order given does not matter', () => {
  fc.assert(
    fc.property(checkpoints, kepts, (list, kept) => {
      const gone = expendableCheckpoints(list, { kept });
      const left = list.filter((c) => !gone.includes(c.path));
      assert.deepEqual(expendableCheckpoints(left, { kept }), []);
      assert.deepEqual(expendableCheckpoints(list.toReversed(), { kept }), gone);
    }),
  );
  assert.throws(() => expendableCheckpoints([], { kept: 0 }), /newest/);
  assert.throws(() => expendableCheckpoints([], { kept: 1.5 }), /newest/);
});
