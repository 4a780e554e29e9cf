import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import {
  expendableBlobs,
  expendableCheckpoints,
  expendableVersions,
  type StoredCheckpoint,
  type StoredVersions,
} from '../src/index.ts';

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

const names = fc.uniqueArray(
  fc.integer({ min: 0, max: 99 }).map((minor) => `v0.${minor}.0`),
  { maxLength: 30 },
);
const stored: fc.Arbitrary<StoredVersions> = names.chain((versions) => {
  const one = fc.constantFrom(null, ...versions);
  const some = fc.subarray(versions);
  return fc.record({
    versions: fc.constant(versions),
    champion: one,
    rollbackTarget: one,
    deploying: some,
    aliased: some,
  });
});

test('retires the oldest versions that nobody needs', () => {
  const versions = ['v1.1.0', 'v1.0.0', 'v0.4.0', 'v0.3.0', 'v0.2.0', 'v0.1.1', 'v0.1.0'];
  const needs = { champion: 'v0.3.0', rollbackTarget: 'v0.2.0', deploying: ['v1.1.0'], aliased: ['v0.1.0'] };
  assert.deepEqual(expendableVersions({ versions, ...needs }, { kept: 2 }), ['v0.1.1', 'v0.4.0']);
  assert.deepEqual(expendableVersions({ versions, ...needs }, { kept: 7 }), []);
});

test('never retires what is served, deployed, a rollback target, aliased, or among the newest', () => {
  fc.assert(
    fc.property(stored, kepts, (facts, kept) => {
      const gone = new Set(expendableVersions(facts, { kept }));
      const { champion, rollbackTarget, deploying, aliased, versions } = facts;
      for (const needed of [champion, rollbackTarget, ...deploying, ...aliased])
        assert.ok(needed === null || !gone.has(needed));
      assert.ok(versions.slice(0, kept).every((version) => !gone.has(version)));
      const needed = new Set([champion, rollbackTarget, ...deploying, ...aliased]);
      const left = versions.filter((version) => !gone.has(version) && !needed.has(version));
      assert.ok(left.length <= kept, 'and what nobody needs does go');
    }),
  );
});

test('once versions are retired, no more go; a larger number keeps at least as many', () => {
  fc.assert(
    fc.property(stored, kepts, (facts, kept) => {
      const gone = expendableVersions(facts, { kept });
      const versions = facts.versions.filter((version) => !gone.includes(version));
      assert.deepEqual(expendableVersions({ ...facts, versions }, { kept }), []);
      const fewer = expendableVersions(facts, { kept: kept + 1 });
      assert.ok(fewer.every((version) => gone.includes(version)));
    }),
  );
  const none = { versions: [], champion: null, rollbackTarget: null, deploying: [], aliased: [] };
  assert.throws(() => expendableVersions(none, { kept: 0 }), /newest/);
});

test('a blob that a version names never goes, and one that was never loose neither', () => {
  const blobs = fc.uniqueArray(
    fc.string({ minLength: 1, maxLength: 1, unit: fc.constantFrom('a', 'b', 'c', 'd') }),
  );
  fc.assert(
    fc.property(blobs, blobs, (loose, named) => {
      const gone = expendableBlobs(loose, new Set(named));
      assert.ok(gone.every((sha256) => loose.includes(sha256) && !named.includes(sha256)));
      assert.ok(loose.every((sha256) => gone.includes(sha256) || named.includes(sha256)));
    }),
  );
});
