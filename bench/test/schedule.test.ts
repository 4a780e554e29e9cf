// What the schedule is compared with is right on an instance that is worked out by hand.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PriorityClass } from '@jarvis/contracts';
import { boundOfWeightedMs, leastTurnaroundMs } from '../schedule/bounds.ts';
import { figuresOf, weightOf } from '../schedule/figures.ts';
import { ours } from '../schedule/ours.ts';
import { FIRST_COME, plain, STRICT_PRIORITY } from '../schedule/plain.ts';
import { dayOf, type Training } from '../schedule/workload.ts';

const FREE = { startMs: 0, loadMs: 0, besideBytes: 10 };

function training(jobId: string, arrivesMs: number, workMs: number, more: Partial<Training> = {}): Training {
  const fixed = {
    modelType: 'nlu',
    priority: 'high' as PriorityClass,
    expectedMs: workMs,
    needBytes: 1,
  } as const;
  return { jobId, arrivesMs, workMs, ...fixed, ...more };
}

/** A long one, then a short one, then one of the highest class; the longest needs the memory of the LLM. */
const THREE = [
  training('long', 0, 10, { priority: 'low', needBytes: 11 }),
  training('short', 1, 2, { priority: 'normal' }),
  training('urgent', 2, 4, { priority: 'critical' }),
];
const DAY = { trainings: THREE, bursts: [{ fromMs: 8, toMs: 12 }] };

test('first come, first served, and strict priority: nobody is stopped', () => {
  const first = plain(THREE, FIRST_COME, FREE);
  assert.deepEqual(
    [...first.endsMs],
    [
      ['long', 10],
      ['short', 12],
      ['urgent', 16],
    ],
  );
  const strict = plain(THREE, STRICT_PRIORITY, FREE);
  assert.deepEqual(
    [...strict.endsMs],
    [
      ['long', 10],
      ['urgent', 14],
      ['short', 16],
    ],
  );
  const { meanMs, weightedMs, awayMs, missedMs } = figuresOf(DAY, strict);
  assert.equal(meanMs, (10 + 12 + 15) / 3);
  assert.equal(weightedMs, (10 + 8 * 12 + 2 * 15) / 11);
  assert.deepEqual([awayMs, missedMs], [10, 2], 'away from 0 to 10, asked for from 8');
});

test('the clairvoyant stops the long one for the short ones, and no order of these does better', () => {
  // long 0 to 1, short 1 to 3, urgent 3 to 7, long 7 to 16.
  assert.equal(leastTurnaroundMs(THREE), (16 + 2 + 5) / 3);
});

test('the weighted bound is exact where nobody is stopped, and below every schedule where somebody is', () => {
  const together = [training('a', 0, 2, { priority: 'low' }), training('b', 0, 4, { priority: 'critical' })];
  assert.equal(boundOfWeightedMs(together, weightOf), (8 * 4 + 6) / 9, 'b, then a');
  // long 0 to 1, short 1 to 2, urgent 2 to 6, short 6 to 7, long 7 to 16: mean busy times 10.75 - 0.4, 4, 4.
  const busy = (0.5 * 1 + 11.5 * 9) / 10 + 2 * ((1.5 + 6.5) / 2) + 8 * 4;
  const bound = (busy + 10 / 2 + 2 * 1 + 8 * 2 - (0 + 2 * 1 + 8 * 2)) / 11;
  assert.ok(Math.abs(boundOfWeightedMs(THREE, weightOf) - bound) < 1e-9);
});

test('ours, on a few random days, is never below what no schedule can do better than', () => {
  for (let seed = 1; seed <= 3; seed += 1) {
    const day = dayOf(seed, { withBursts: false });
    const { meanMs, weightedMs, ofClassMs } = figuresOf(day, ours(day, { policy: 'wait' }));
    assert.ok(meanMs >= leastTurnaroundMs(day.trainings));
    assert.ok(weightedMs >= boundOfWeightedMs(day.trainings, weightOf));
    assert.ok((ofClassMs.critical ?? NaN) < (ofClassMs.low ?? NaN));
  }
});
