import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { afterCrash, placeOf } from '../src/index.ts';

test('by itself a model goes to a thread when it costs more than the limit; else it goes where it is told', () => {
  assert.equal(placeOf('auto', 0.2, 1), 'loop');
  assert.equal(placeOf('auto', 1, 1), 'loop');
  assert.equal(placeOf('auto', 1.1, 1), 'thread');
  assert.equal(placeOf('never', 500, 1), 'loop');
  assert.equal(placeOf('always', 0, 1), 'thread');
});

test('a crash is followed by a restart, until there were too many in the window', () => {
  const limits = { restartsMax: 2, windowMs: 100 };
  let crashesMs: readonly number[] = [];
  const crash = (atMs: number): string => {
    const after = afterCrash(crashesMs, atMs, limits);
    crashesMs = after.crashesMs;
    return after.next;
  };
  assert.deepEqual([crash(0), crash(10), crash(20)], ['restart', 'restart', 'give up']);
  crashesMs = [];
  assert.deepEqual(
    [crash(0), crash(60), crash(110), crash(120)],
    ['restart', 'restart', 'restart', 'give up'],
  );
});

test('what is remembered is bounded, and within any window there are no more restarts than the limit', () => {
  const gaps = fc.array(fc.nat({ max: 50 }), { maxLength: 100 });
  const limitsOf = fc.record({
    restartsMax: fc.nat({ max: 5 }),
    windowMs: fc.integer({ min: 1, max: 200 }),
  });
  fc.assert(
    fc.property(gaps, limitsOf, (waits, limits) => {
      let nowMs = 0;
      let crashesMs: readonly number[] = [];
      const restartsMs: number[] = [];
      for (const wait of waits) {
        nowMs += wait;
        const after = afterCrash(crashesMs, nowMs, limits);
        if (after.next === 'give up') return;
        crashesMs = after.crashesMs;
        restartsMs.push(nowMs);
        const lately = restartsMs.filter((atMs) => nowMs - atMs < limits.windowMs);
        assert.ok(lately.length <= limits.restartsMax && crashesMs.length === lately.length);
      }
    }),
  );
});
