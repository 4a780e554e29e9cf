import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { describeChange, nextVersion } from '../src/index.ts';

const changes = fc.constantFrom('data' as const, 'configuration' as const, 'labels' as const);
const numbers = fc.nat({ max: 1_000_000 });

function manifest(labels: string[], config: Record<string, unknown>) {
  return {
    labels,
    lineage: {
      job_id: 'job',
      dataset_sha256: 'a'.repeat(64),
      dataset_rows: 1,
      parent_version: null,
      code_sha256: 'b'.repeat(64),
      config,
      seed: 1,
    },
  };
}

test('the first version is v0.1.0', () => {
  fc.assert(fc.property(changes, (change) => assert.equal(nextVersion(null, change), 'v0.1.0')));
});

test('data is a patch, configuration a minor, labels a major version', () => {
  fc.assert(
    fc.property(numbers, numbers, numbers, (a, b, c) => {
      const latest = `v${a}.${b}.${c}`;
      assert.equal(nextVersion(latest, 'data'), `v${a}.${b}.${c + 1}`);
      assert.equal(nextVersion(latest, 'configuration'), `v${a}.${b + 1}.0`);
      assert.equal(nextVersion(latest, 'labels'), `v${a + 1}.0.0`);
    }),
  );
  for (const other of ['1.2.3', 'xv1.2.3', 'v1.2.3-rc1', 'v1.2', 'v1.x.3'])
    assert.throws(() => nextVersion(other, 'data'), new RegExp(`${other} is a version`));
});

test('labels weigh more than configuration, and configuration more than data', () => {
  const parent = manifest(['no', 'yes'], { epochs: 5 });
  assert.equal(describeChange(parent, manifest(['maybe', 'no', 'yes'], { epochs: 6 })), 'labels');
  assert.equal(describeChange(parent, manifest(['yes'], { epochs: 5 })), 'labels');
  assert.equal(describeChange(parent, manifest(['no', 'yes'], { epochs: 6 })), 'configuration');
  assert.equal(describeChange(parent, manifest(['no', 'yes'], { epochs: '5' })), 'configuration');
  assert.equal(describeChange(parent, manifest(['no', 'yes'], {})), 'configuration');
  assert.equal(describeChange(parent, manifest(['yes', 'no'], { epochs: 5 })), 'data');
});

test('the order of labels and of settings is no change', () => {
  const configs = fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 6, noNullPrototype: true });
  fc.assert(
    fc.property(fc.array(fc.string()), configs, (labels, config) => {
      const turned = Object.fromEntries(Object.entries(config).toReversed());
      assert.equal(describeChange(manifest(labels, config), manifest(labels.toReversed(), turned)), 'data');
      const more = { ...config, 'a setting of its own': 1 };
      assert.equal(describeChange(manifest(labels, config), manifest(labels, more)), 'configuration');
    }),
  );
});

test('a label that stands twice is one label', () => {
  assert.equal(describeChange(manifest(['no', 'yes'], {}), manifest(['yes', 'no', 'no'], {})), 'data');
});

test('labels that only look alike when strung together are others', () => {
  assert.equal(describeChange(manifest(['a,b'], {}), manifest(['a', 'b'], {})), 'labels');
  assert.equal(describeChange(manifest(['ab'], {}), manifest(['a', 'b'], {})), 'labels');
});

test('a setting that is not set is the same as none; null is a value', () => {
  assert.equal(describeChange(manifest([], { a: undefined }), manifest([], {})), 'data');
  assert.equal(describeChange(manifest([], { a: null }), manifest([], {})), 'configuration');
});

test('settings differ at any depth, in lists by their order, and by their names', () => {
  const same = (a: unknown, b: unknown) =>
    describeChange(manifest([], { a }), manifest([], { a: b })) === 'data';
  assert.ok(same({ x: { y: 1, z: 2 } }, { x: { z: 2, y: 1 } }));
  assert.ok(same([{ y: 1, z: 2 }], [{ z: 2, y: 1 }]));
  assert.ok(!same({ x: { y: 1 } }, { x: { y: 2 } }));
  assert.ok(!same({ y: 1 }, { z: 1 }));
  assert.ok(!same([1, 2], [2, 1]));
  assert.ok(!same([1, 2], [12]));
  assert.ok(!same([], {}));
  assert.ok(!same({ 0: 1 }, [1]));
  assert.ok(!same(null, 'null'));
  assert.ok(!same({ a: 1, b: 2 }, { 'a":1,"b': 2 }));
});
