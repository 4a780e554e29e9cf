// What a job needs, learned from what its kind took.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BYTES_PER_GB } from '@jarvis/contracts';
import * as fc from 'fast-check';
import { learnNeed, needOf, type NeedObservation } from '../src/index.ts';

const GB = BYTES_PER_GB;
const ended = (peakGb: number, rows = 100, limitGb = peakGb * 2): NeedObservation => ({
  rows,
  peakBytes: peakGb * GB,
  limitBytes: limitGb * GB,
  outcome: 'ended',
});
const ranOut = (limitGb: number): NeedObservation => ({
  rows: 100,
  peakBytes: limitGb * GB,
  limitBytes: limitGb * GB,
  outcome: 'out_of_memory',
});
const gbOf = (observations: readonly NeedObservation[], rows: number | null = 100): number =>
  (learnNeed(observations, rows)?.bytes ?? NaN) / GB;

test('nothing is learned from nothing', () => {
  assert.equal(learnNeed([], 100), null);
  assert.equal(learnNeed([], null), null);
});

test('who said what it needs is believed, and else the default where nothing was learned', () => {
  const said = { bytes: GB, given: true, rows: 100 };
  const own = { bytes: GB, leastBytes: GB };
  assert.deepEqual(needOf(said, learnNeed([ended(9)], 100), []), { ...own, why: 'as it was asked for' });
  assert.deepEqual(needOf({ ...said, given: false }, null, []), { ...own, why: 'nothing was learned yet' });
});

test('one peak is the need, with a margin of 15 %, and the evidence is said', () => {
  assert.deepEqual(learnNeed([ended(2)], 100), {
    bytes: Math.ceil(2 * GB * 1.15),
    leastBytes: Math.ceil(2 * GB * 1.15),
    why: 'learned: 1 training peaked at 2.00 GB at most; with a margin of 15 %',
  });
});

test('of twenty peaks one that stands out does not count, of nineteen it does', () => {
  const usual = (n: number) => Array.from({ length: n }, () => ended(1));
  assert.ok(Math.abs(gbOf([...usual(19), ended(8)]) - 1.15) < 1e-6);
  assert.ok(Math.abs(gbOf([...usual(18), ended(8)]) - 9.2) < 1e-6);
});

describe('growth with the data', () => {
  const growing = [ended(1, 100), ended(2, 200), ended(3, 300)];

  test('more rows than were seen take as much more as the slope says', () => {
    assert.ok(Math.abs(gbOf(growing, 600) - 6 * 1.15) < 1e-6);
    assert.match(learnNeed(growing, 600)?.why ?? '', /3\.00 GB at most, growing with the data; with/);
  });

  test('fewer rows take no less, and unknown ones as much as were seen', () => {
    assert.ok(Math.abs(gbOf(growing, 10) - 3 * 1.15) < 1e-6);
    assert.ok(Math.abs(gbOf(growing, null) - 3 * 1.15) < 1e-6);
  });

  test('two peaks have no slope, nor have peaks that fall, nor those of equal rows', () => {
    assert.ok(Math.abs(gbOf([ended(1, 100), ended(2, 200)], 600) - 2 * 1.15) < 1e-6);
    assert.ok(Math.abs(gbOf([ended(3, 100), ended(2, 200), ended(1, 300)], 600) - 3 * 1.15) < 1e-6);
    assert.ok(Math.abs(gbOf([ended(1), ended(2), ended(3)], 600) - 3 * 1.15) < 1e-6);
  });

  test('one wild peak turns the slope of many hardly', () => {
    const many = [1, 2, 3, 4, 5, 6, 7, 8].map((n) => ended(n, n * 100));
    const need = gbOf([...many, ended(0.1, 900)], 1000);
    assert.ok(need > 9 && need < 13, `${need}`);
  });
});

describe('running out of memory', () => {
  test('the next is given two and a half times as much, a little more at least, and is told why', () => {
    assert.deepEqual(learnNeed([ranOut(2)], 100), {
      bytes: 5 * GB,
      leastBytes: Math.ceil(2.3 * GB),
      why: 'raised: 1 training ran out of memory, at last under 2.00 GB',
    });
  });

  test('each time more', () => {
    assert.equal(gbOf([ranOut(2), ranOut(3)]), 7.5);
    assert.match(learnNeed([ranOut(2), ranOut(3)], 1)?.why ?? '', /2 trainings ran out/);
    assert.equal(gbOf([ranOut(3), ranOut(2)]), 7.5, 'by the largest limit that was too small');
  });

  test('where nothing held it to its limit, by what it took', () => {
    assert.equal(gbOf([{ ...ranOut(2), peakBytes: 4 * GB }]), 10);
  });

  test('one that ended under as little as may do tells what it really takes', () => {
    assert.ok(Math.abs(gbOf([ranOut(2), ended(2.1, 100, 2.31)]) - 2.1 * 1.15) < 1e-6);
  });

  test('one that ended under less does not: it was of another size', () => {
    assert.equal(gbOf([ranOut(2), ended(1, 100, 2.2)]), 5);
  });

  test('what was learned stays when it is more', () => {
    assert.ok(Math.abs(gbOf([ended(8, 100, 10), ranOut(2)]) - 8 * 1.15) < 1e-6);
  });
});

test('who ran out gets more than that, whatever others of its kind got by with since', () => {
  const job = { bytes: GB, given: false, rows: 100 };
  const ofKind = learnNeed([ranOut(4), ended(1, 100, 10)], 100);
  assert.equal(needOf(job, ofKind, []).bytes, Math.ceil(1.15 * GB));
  const own = needOf(job, ofKind, [ranOut(4)]);
  assert.deepEqual([own.bytes, own.leastBytes], [10 * GB, Math.ceil(4.6 * GB)]);
  const given = needOf({ ...job, bytes: 10 * GB, given: true }, ofKind, [ranOut(4)]);
  assert.equal(given.leastBytes, Math.ceil(4.6 * GB), 'a guess that was asked for stays a guess');
  assert.equal(
    needOf(job, ofKind, [ended(4)]).bytes,
    Math.ceil(1.15 * GB),
    'having ended it did not run out',
  );
});

test('it is never less than what 95 % of those that ended took, and grows with what they took', () => {
  const observation = fc.record({
    rows: fc.integer({ min: 1, max: 10_000 }),
    peakBytes: fc.integer({ min: 1, max: 64 * GB }),
    limitBytes: fc.constant(64 * GB),
    outcome: fc.constant<'ended'>('ended'),
  });
  fc.assert(
    fc.property(fc.array(observation, { minLength: 1, maxLength: 30 }), fc.nat(20_000), (seen, rows) => {
      const need = learnNeed(seen, rows)?.bytes ?? 0;
      const below = seen.filter((o) => o.peakBytes <= need).length;
      assert.ok(below >= Math.ceil(0.95 * seen.length));
      const more = seen.map((o) => ({ ...o, peakBytes: o.peakBytes * 2 }));
      assert.ok((learnNeed(more, rows)?.bytes ?? 0) >= need);
    }),
  );
});
