import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { backoffMs } from '../src/index.ts';

const options = fc.record({
  attempt: fc.nat({ max: 5000 }),
  baseMs: fc.integer({ min: 0, max: 100_000 }),
  maxMs: fc.integer({ min: 0, max: 10_000_000 }),
  unit: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
});

test('doubles up to the cap, and the unit spreads it from zero', () => {
  const halvesMs = [0, 1, 2, 3, 4, 5].map((attempt) =>
    backoffMs({ attempt, baseMs: 100, maxMs: 1000, unit: 0.5 }),
  );
  assert.deepEqual(halvesMs, [50, 100, 200, 400, 500, 500]);
  assert.equal(backoffMs({ attempt: 3, baseMs: 100, maxMs: 1000, unit: 0 }), 0);
});

test('is finite, never negative, never over the cap', () => {
  fc.assert(
    fc.property(options, (o) => {
      const waitMs = backoffMs(o);
      assert.ok(waitMs >= 0 && waitMs <= o.maxMs);
    }),
  );
});

test('a later attempt with the same luck waits as long or longer', () => {
  fc.assert(
    fc.property(options, (o) => {
      assert.ok(backoffMs({ ...o, attempt: o.attempt + 1 }) >= backoffMs(o));
    }),
  );
});

test('refuses what is no attempt or no unit', () => {
  const good = { attempt: 0, baseMs: 1, maxMs: 1, unit: 0 };
  assert.throws(() => backoffMs({ ...good, attempt: -1 }), /attempt/);
  assert.throws(() => backoffMs({ ...good, unit: 1 }), /unit/);
  assert.throws(() => backoffMs({ ...good, attempt: 0.5 }), /attempt/);
  assert.throws(() => backoffMs({ ...good, unit: -0.1 }), /unit/);
  assert.throws(() => backoffMs({ ...good, baseMs: -1 }), /negative/);
  assert.throws(() => backoffMs({ ...good, maxMs: -1 }), /negative/);
});

test('a base of nothing is no wait, also where 2^attempt is beyond all numbers', () => {
  assert.equal(backoffMs({ attempt: 5_000, baseMs: 0, maxMs: 1000, unit: 0.5 }), 0);
  assert.equal(backoffMs({ attempt: 5_000, baseMs: 1, maxMs: 1000, unit: 0.5 }), 500);
  assert.equal(backoffMs({ attempt: 0, baseMs: 1, maxMs: 0, unit: 0.5 }), 0, 'a cap of nothing, too');
});
