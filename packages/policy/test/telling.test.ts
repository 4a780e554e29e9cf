import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import {
  beginTelling,
  tellProgress,
  TOLD_AT_FULL_PACE_MAX,
  TOLD_AT_ONCE_MAX,
  TOLD_MAX,
  TOLD_PER_SECOND,
  TOLD_SLOWLY_EVERY_MS,
} from '../src/index.ts';

const batches = fc.array(fc.record({ waitMs: fc.nat({ max: 120_000 }), wanted: fc.nat({ max: 2_000 }) }), {
  maxLength: 300,
});

test('a trainer at its pace is told whole', () => {
  let telling = beginTelling(0, 0);
  for (let second = 1; second <= 400; second += 1) {
    const { telling: next, count } = tellProgress(telling, { nowMs: second * 1000, wanted: TOLD_PER_SECOND });
    assert.equal(count, TOLD_PER_SECOND);
    telling = next;
  }
});

test('what comes faster is told by its latest, and what comes at once not at all', () => {
  const first = tellProgress(beginTelling(0, 0), { nowMs: 0, wanted: TOLD_AT_ONCE_MAX });
  assert.equal(first.count, TOLD_AT_ONCE_MAX);
  const behind = tellProgress(first.telling, { nowMs: 0, wanted: 1000 });
  assert.equal(behind.count, 0);
  assert.equal(tellProgress(behind.telling, { nowMs: 1000 / TOLD_PER_SECOND, wanted: 1000 }).count, 1);
});

test('all, the latest or none; never more than the pace allows, slowly after many, and not beyond the most', () => {
  const told = fc.constantFrom(0, TOLD_AT_FULL_PACE_MAX - 5, TOLD_AT_FULL_PACE_MAX, TOLD_MAX - 3, TOLD_MAX);
  fc.assert(
    fc.property(batches, told, (waits, before) => {
      let telling = beginTelling(0, before);
      let nowMs = 0;
      for (const { waitMs, wanted } of waits) {
        nowMs += waitMs;
        const { telling: next, count } = tellProgress(telling, { nowMs, wanted });
        assert.ok(count === wanted || count === 1 || count === 0);
        assert.equal(next.told, telling.told + count);
        telling = next;
      }
      const quick = Math.max(0, TOLD_AT_FULL_PACE_MAX - before);
      const byTime = (nowMs / 1000) * TOLD_PER_SECOND + TOLD_AT_ONCE_MAX;
      const slow = nowMs / TOLD_SLOWLY_EVERY_MS + 1;
      assert.ok(telling.told - before <= Math.min(byTime, quick + TOLD_AT_ONCE_MAX + slow));
      assert.ok(telling.told <= TOLD_MAX);
    }),
  );
});

test('wanted for long enough, something is told until there is no more to tell', () => {
  const { telling } = tellProgress(beginTelling(0, TOLD_AT_FULL_PACE_MAX), { nowMs: 0, wanted: 1 });
  assert.equal(tellProgress(telling, { nowMs: TOLD_SLOWLY_EVERY_MS - 1, wanted: 1 }).count, 0);
  assert.equal(tellProgress(telling, { nowMs: TOLD_SLOWLY_EVERY_MS, wanted: 1 }).count, 1);
});

test('after a rest only so many come at once, however long it was', () => {
  const day = 24 * 3_600_000;
  const many = beginTelling(0, TOLD_AT_FULL_PACE_MAX - 1);
  assert.equal(many.allowance, TOLD_AT_ONCE_MAX);
  assert.equal(tellProgress(many, { nowMs: day, wanted: TOLD_AT_ONCE_MAX }).count, TOLD_AT_ONCE_MAX);
  assert.equal(tellProgress(many, { nowMs: day, wanted: TOLD_AT_ONCE_MAX + 1 }).count, 1);
  const slowly = beginTelling(0, TOLD_AT_FULL_PACE_MAX);
  assert.equal(slowly.allowance, 1);
  assert.equal(tellProgress(slowly, { nowMs: day, wanted: 2 }).telling.told, TOLD_AT_FULL_PACE_MAX + 1);
  assert.equal(tellProgress(slowly, { nowMs: day, wanted: 2 }).telling.allowance, 0);
});

test('what may be told grows with time, and less what was told', () => {
  const spent = tellProgress(beginTelling(1_000, 0), { nowMs: 1_000, wanted: TOLD_AT_ONCE_MAX }).telling;
  assert.deepEqual(spent, { allowance: 0, atMs: 1_000, told: TOLD_AT_ONCE_MAX });
  const { telling, count } = tellProgress(spent, { nowMs: 1_500, wanted: 4 });
  assert.equal(count, 4);
  assert.deepEqual(telling, { allowance: TOLD_PER_SECOND / 2 - 4, atMs: 1_500, told: TOLD_AT_ONCE_MAX + 4 });
});

test('beyond the most nothing is told, also where more was told before than may be', () => {
  const toldFrom = (before: number): number =>
    tellProgress(beginTelling(0, before), { nowMs: 0, wanted: 1 }).count;
  assert.deepEqual([TOLD_MAX - 1, TOLD_MAX, TOLD_MAX + 5].map(toldFrom), [1, 0, 0]);
});

test('refuses a clock that goes back', () => {
  assert.throws(() => tellProgress(beginTelling(100, 0), { nowMs: 99, wanted: 1 }), /monotonic clock/);
});
