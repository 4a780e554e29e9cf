import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { afterFailure, afterRollback, breakerState, type BreakerView, schedule } from '../src/index.ts';
import { BREAKER, HOUR, job, kinds, NOW, snapshot, told } from './snapshots.ts';

const failed = { modelType: 'nlu', error: 'no such column' } as const;

function after(failures: number): BreakerView {
  let breaker: BreakerView | null = null;
  for (let i = 0; i < failures; i += 1) breaker = afterFailure(breaker, failed, NOW, BREAKER);
  assert.ok(breaker);
  return breaker;
}

describe('the breaker itself', () => {
  test('it opens at the third failure, not before, and is half open when its time is over', () => {
    assert.equal(breakerState(undefined, NOW, BREAKER), 'closed');
    assert.equal(breakerState(after(2), NOW, BREAKER), 'closed');
    const open = after(3);
    assert.deepEqual([open.failures, open.openUntilMs, open.lastError], [3, NOW + 60_000, 'no such column']);
    assert.equal(breakerState(open, NOW + 59_999, BREAKER), 'open');
    assert.equal(breakerState(open, NOW + 60_000, BREAKER), 'half_open');
  });

  test('each failed try holds it open for twice as long, up to the most', () => {
    assert.equal(after(4).openUntilMs, NOW + 120_000);
    assert.equal(after(6).openUntilMs, NOW + 480_000);
    assert.equal(after(60).openUntilMs, NOW + HOUR);
  });

  test('candidates rolled back in a row open it too, each further one for twice as long', () => {
    const rolledBack = (inARow: number) =>
      afterRollback({ modelType: 'nlu', inARow, reason: 'worse' }, NOW, BREAKER);
    assert.equal(rolledBack(2), null);
    assert.deepEqual(rolledBack(3), {
      modelType: 'nlu',
      cause: 'rollbacks',
      failures: 3,
      openUntilMs: NOW + 60_000,
      lastError: 'worse',
    });
    assert.equal(rolledBack(4)?.openUntilMs, NOW + 120_000);
    assert.equal(rolledBack(60)?.openUntilMs, NOW + HOUR);
    assert.equal(after(3).cause, 'failed_jobs');
  });

  test('it takes a failure to open one', () => {
    const none = { ...BREAKER, failures: 0 };
    assert.throws(() => afterFailure(null, failed, NOW, none), /a breaker opens after at least one failure/);
    assert.equal(afterFailure(null, failed, NOW, { ...BREAKER, failures: 1 }).openUntilMs, NOW + 60_000);
  });

  test('with the longest time of all still before it, it is open', () => {
    const longest = { ...after(3), openUntilMs: NOW + HOUR };
    assert.equal(breakerState(longest, NOW, BREAKER), 'open');
    assert.equal(breakerState(longest, NOW - 1, BREAKER), 'half_open');
  });

  test('a clock that was set back holds it open for no longer than it ever is', () => {
    assert.equal(breakerState(after(3), NOW - 2 * HOUR, BREAKER), 'half_open');
  });

  test('it is never open for longer than the most, whatever the rules', () => {
    const rules = fc.record({
      failures: fc.integer({ min: 1, max: 5 }),
      cooldownMs: fc.nat(10 * HOUR),
      cooldownMaxMs: fc.nat(10 * HOUR),
    });
    fc.assert(
      fc.property(rules, fc.integer({ min: 1, max: 40 }), (r, times) => {
        let breaker: BreakerView | null = null;
        for (let i = 0; i < times; i += 1) breaker = afterFailure(breaker, failed, NOW, r);
        const until = breaker?.openUntilMs ?? null;
        assert.equal(until === null, times < r.failures);
        if (until !== null) assert.ok(until - NOW <= r.cooldownMaxMs);
      }),
    );
  });
});

describe('the queue behind it', () => {
  const jobs = [
    job({ jobId: 'a' }),
    job({ jobId: 'b', submittedAtMs: NOW }),
    job({ jobId: 'v', modelType: 'voice' }),
  ];
  const twoSlots = [0, 1].map((slot) => ({ slot, holder: null }));
  const taken = (breaker: BreakerView, nowMs: number, more = jobs): string[] =>
    schedule(snapshot({ jobs: more, slots: twoSlots, breakers: [breaker], nowMs })).flatMap((d) =>
      d.type === 'take_slot' ? [d.jobId] : [],
    );

  test('while it is open no job of the kind takes a slot, and each says why and until when', () => {
    const open = after(3);
    assert.deepEqual(taken(open, NOW), ['v']);
    const why = told(snapshot({ jobs, breakers: [open] }), 'a');
    assert.match(why, /3 nlu jobs in a row failed \(the last: no such column\)/);
    assert.ok(why.includes(new Date(NOW + 60_000).toISOString()), why);
    assert.match(why, /POST \/api\/breakers\/nlu\/reset/);
  });

  test('half open it lets one through to try, and the next says for whom it waits', () => {
    const later = NOW + 60_000;
    assert.deepEqual(taken(after(3), later).toSorted(), ['a', 'v']);
    const s = snapshot({ jobs, slots: twoSlots, breakers: [after(3)], nowMs: later });
    assert.match(told(s, 'b'), /goes if a, which tries now, completes/);
    const trying = jobs.map((j) => (j.jobId === 'a' ? { ...j, state: 'training' as const } : j));
    assert.deepEqual(taken(after(3), later, trying), ['v']);
  });

  test('closed, with failures too few to open it, it holds nobody back', () => {
    assert.deepEqual(taken(after(2), NOW).toSorted(), ['a', 'v']);
    const threeSlots = [0, 1, 2].map((slot) => ({ slot, holder: null }));
    const s = snapshot({ jobs, slots: threeSlots, breakers: [after(2)] });
    assert.deepEqual(kinds(s), ['take_slot', 'take_slot', 'take_slot']);
    assert.deepEqual(kinds(snapshot({ breakers: [after(2)] })), []);
  });
});
