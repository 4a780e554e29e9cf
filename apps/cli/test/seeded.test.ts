// Chance from a seed: the same again, and forks that do not depend on when they are made.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { seeded } from '../src/demo/seeded.ts';

test('numbers lie where they should, and come again from the same seed', () => {
  fc.assert(
    fc.property(fc.nat(), fc.integer({ min: 1, max: 1000 }), (seed, limit) => {
      const [one, two] = [seeded(seed), seeded(seed)];
      for (let i = 0; i < 20; i++) {
        const unit = one.unit();
        assert.ok(unit >= 0 && unit < 1);
        assert.equal(two.unit(), unit);
        const whole = one.below(limit);
        assert.ok(Number.isInteger(whole) && whole >= 0 && whole < limit);
        assert.equal(two.below(limit), whole);
      }
    }),
  );
});

test('shuffled is the same items, and leaves the given ones as they were', () => {
  fc.assert(
    fc.property(fc.nat(), fc.array(fc.nat()), (seed, items) => {
      const before = [...items];
      const after = seeded(seed).shuffled(items);
      assert.deepEqual(items, before);
      assert.deepEqual(
        after.toSorted((a, b) => a - b),
        before.toSorted((a, b) => a - b),
      );
    }),
  );
});

test('a fork is the same whenever it is made, and another for each name and seed', () => {
  fc.assert(
    fc.property(fc.nat(), fc.nat({ max: 50 }), (seed, steps) => {
      const random = seeded(seed);
      const early = random.fork('days').unit();
      for (let i = 0; i < steps; i++) random.unit();
      assert.equal(random.fork('days').unit(), early);
      assert.notEqual(random.fork('nights').unit(), early);
      assert.notEqual(
        seeded(seed + 1)
          .fork('days')
          .unit(),
        early,
      );
    }),
  );
});

test('it is spread evenly', () => {
  const random = seeded(1);
  const counts = Array.from({ length: 10 }, () => 0);
  for (let i = 0; i < 10_000; i++) {
    const at = random.below(10);
    counts[at] = (counts[at] ?? 0) + 1;
  }
  for (const count of counts) assert.ok(count > 850 && count < 1150, String(counts));
});
