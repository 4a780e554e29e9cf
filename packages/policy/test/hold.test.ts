// Why nobody trains now.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { type HoldFacts, holdOf, type HoldRules, isWithin } from '../src/index.ts';
import { NOW } from './snapshots.ts';

const free: HoldFacts = { nowMs: NOW, pause: null, window: null, minuteOfDay: 600, use: null };
const rules: HoldRules = { loadMax: 0.8, trainsOnBattery: false };
const night = { fromMinute: 22 * 60, toMinute: 6 * 60 };

test('nothing holds where nobody said so', () => {
  assert.equal(holdOf(free, rules), null);
  assert.equal(holdOf({ ...free, use: { loadPerProcessor: 0.8, onBattery: false } }, rules), null);
});

describe('a pause', () => {
  test('stops what runs, for as long as it lasts, and says how it ends', () => {
    const pause = { reason: 'a film', untilMs: null };
    assert.deepEqual(holdOf({ ...free, pause }, rules), {
      reason: 'training is paused (a film); `jarvis resume` lets it go on',
      stopsRunning: true,
    });
    const until = { reason: '', untilMs: NOW + 1 };
    assert.equal(
      holdOf({ ...free, pause: until }, rules)?.reason,
      `training is paused; it goes on at ${new Date(NOW + 1).toISOString()}, or with \`jarvis resume\``,
    );
  });

  test('is over when its time has come', () => {
    assert.equal(holdOf({ ...free, pause: { reason: '', untilMs: NOW } }, rules), null);
  });
});

describe('quiet hours', () => {
  test('outside of them what runs stops, and it is said when it goes on', () => {
    assert.deepEqual(holdOf({ ...free, window: night }, rules), {
      reason: 'training runs from 22:00 to 06:00 only (TRAINING_WINDOW); it goes on at 22:00',
      stopsRunning: true,
    });
    assert.equal(holdOf({ ...free, window: night, minuteOfDay: 23 * 60 }, rules), null);
  });

  test('begin with their first minute and end before their last, also over midnight', () => {
    const within = (minute: number): boolean => isWithin(night, minute);
    assert.deepEqual([1319, 1320, 1439, 0, 359, 360].map(within), [false, true, true, true, true, false]);
    const day = { fromMinute: 9 * 60, toMinute: 17 * 60 + 5 };
    assert.deepEqual(
      [539, 540, 1024, 1025].map((m) => isWithin(day, m)),
      [false, true, true, false],
    );
  });

  test('a window and its other half share the day between them', () => {
    const minute = fc.nat(1439);
    fc.assert(
      fc.property(minute, minute, minute, (fromMinute, toMinute, at) => {
        fc.pre(fromMinute !== toMinute);
        const other = { fromMinute: toMinute, toMinute: fromMinute };
        assert.notEqual(isWithin({ fromMinute, toMinute }, at), isWithin(other, at));
      }),
    );
  });
});

describe('somebody at the machine', () => {
  test('a battery keeps trainings from starting, and stops none', () => {
    const use = { loadPerProcessor: null, onBattery: true };
    const hold = holdOf({ ...free, use }, rules);
    assert.equal(hold?.stopsRunning, false);
    assert.match(hold?.reason ?? '', /battery; it goes on when it is plugged in \(TRAINING_ON_BATTERY\)/);
    assert.equal(holdOf({ ...free, use }, { ...rules, trainsOnBattery: true }), null);
  });

  test('so does a load above the most that is allowed, where one is', () => {
    const use = { loadPerProcessor: 0.81, onBattery: false };
    assert.deepEqual(holdOf({ ...free, use }, rules), {
      reason:
        'the machine is in use: a load of 0.81 for each processor, and 0.8 is the most (TRAINING_MAX_LOAD)',
      stopsRunning: false,
    });
    assert.equal(holdOf({ ...free, use }, { ...rules, loadMax: null }), null);
    assert.equal(holdOf({ ...free, use: { ...use, loadPerProcessor: null } }, rules), null);
  });

  test('a person goes before the hour, and the hour before the machine', () => {
    const all = {
      ...free,
      pause: { reason: '', untilMs: null },
      window: night,
      use: { loadPerProcessor: 9, onBattery: true },
    };
    assert.match(holdOf(all, rules)?.reason ?? '', /paused/);
    assert.match(holdOf({ ...all, pause: null }, rules)?.reason ?? '', /from 22:00/);
    assert.match(holdOf({ ...all, pause: null, window: null }, rules)?.reason ?? '', /battery/);
  });
});
