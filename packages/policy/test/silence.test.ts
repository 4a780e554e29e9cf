import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { beginSilence, isHung, listen, PAUSES_OF_PATIENCE, patienceMs, type Silence } from '../src/index.ts';

const LIMIT_MS = 60_000;
const LOOK_MS = 1_000;

/** A look after each wait; says how it went on. */
const looks = fc.array(fc.record({ waitMs: fc.integer({ min: 1, max: 200_000 }), heard: fc.boolean() }), {
  maxLength: 200,
});

function follow(silence: Silence, waits: readonly { waitMs: number; heard: boolean }[]): Silence[] {
  const seen = [silence];
  for (const { waitMs, heard } of waits) {
    const last = seen.at(-1) ?? silence;
    seen.push(listen(last, { nowMs: last.lookedAtMs + waitMs, heard, limitMs: LIMIT_MS }));
  }
  return seen;
}

/** Looks in time, without a sign, for so long. */
function silentFor(silence: Silence, ms: number): Silence {
  const waits = Array.from({ length: ms / LOOK_MS }, () => ({ waitMs: LOOK_MS, heard: false }));
  return follow(silence, waits).at(-1) ?? silence;
}

test('is hung behind the limit, and not at it', () => {
  const fresh = beginSilence(0, 0);
  assert.equal(isHung(silentFor(fresh, LIMIT_MS), LIMIT_MS), false);
  assert.equal(isHung(silentFor(fresh, LIMIT_MS + LOOK_MS), LIMIT_MS), true);
});

test('whose pauses are long is given several of them', () => {
  const pauseMs = LIMIT_MS - LOOK_MS;
  const heard = listen(silentFor(beginSilence(0, 0), pauseMs - LOOK_MS), {
    nowMs: pauseMs,
    heard: true,
    limitMs: LIMIT_MS,
  });
  assert.equal(heard.longestPauseMs, pauseMs);
  assert.equal(isHung(silentFor(heard, PAUSES_OF_PATIENCE * pauseMs), LIMIT_MS), false);
  assert.equal(isHung(silentFor(heard, PAUSES_OF_PATIENCE * pauseMs + LOOK_MS), LIMIT_MS), true);
});

test('the time in which nobody looked does not count, however long', () => {
  fc.assert(
    fc.property(fc.integer({ min: LIMIT_MS, max: 1e9 }), (awayMs) => {
      const before = silentFor(beginSilence(0, 0), LIMIT_MS);
      const back = listen(before, { nowMs: before.lookedAtMs + awayMs, heard: false, limitMs: LIMIT_MS });
      assert.equal(isHung(back, LIMIT_MS), false);
      assert.equal(back.longestPauseMs, before.longestPauseMs, 'nor as a pause');
      assert.equal(isHung(silentFor(back, LIMIT_MS), LIMIT_MS), false, 'the silence begins anew');
    }),
  );
});

test('nobody is hung who was heard within the limit, and the patience never shrinks', () => {
  fc.assert(
    fc.property(looks, (waits) => {
      let heardAtMs = 0;
      let before = beginSilence(0, 0);
      for (const [i, silence] of follow(before, waits).slice(1).entries()) {
        if (waits[i]?.heard === true) heardAtMs = silence.lookedAtMs;
        if (silence.lookedAtMs - heardAtMs <= LIMIT_MS) assert.equal(isHung(silence, LIMIT_MS), false);
        assert.ok(patienceMs(silence, LIMIT_MS) >= patienceMs(before, LIMIT_MS));
        assert.ok(patienceMs(silence, LIMIT_MS) >= PAUSES_OF_PATIENCE * silence.longestPauseMs);
        before = silence;
      }
    }),
  );
});

test('whoever falls silent for good is found in the end, whatever was before', () => {
  fc.assert(
    fc.property(looks, (waits) => {
      const last = follow(beginSilence(0, 0), waits).at(-1) ?? beginSilence(0, 0);
      const left = patienceMs(last, LIMIT_MS);
      const enough = Math.ceil(left / LOOK_MS) * LOOK_MS + LOOK_MS;
      assert.equal(isHung(silentFor(last, enough), LIMIT_MS), true);
    }),
    { numRuns: 30 },
  );
});

test('a look is late after ten seconds, or after half of a shorter limit, and not at them', () => {
  const begun = beginSilence(0, 0);
  for (const [limitMs, lateMs] of [
    [60_000, 10_000],
    [20_000, 10_000],
    [8_000, 4_000],
  ] as const) {
    const inTime = listen(begun, { nowMs: lateMs, heard: false, limitMs });
    assert.deepEqual(inTime, { sinceMs: 0, lookedAtMs: lateMs, longestPauseMs: 0 });
    const late = listen(begun, { nowMs: lateMs + 1, heard: false, limitMs });
    assert.deepEqual(late, beginSilence(lateMs + 1, 0));
  }
});

test('a sign after a late look tells nothing of the pause before it', () => {
  const late = listen(beginSilence(0, 700), { nowMs: 10_001, heard: true, limitMs: LIMIT_MS });
  assert.deepEqual(late, beginSilence(10_001, 700));
});

test('only a longer pause changes the longest one, and each sign begins the silence anew', () => {
  const heardAt = (silence: Silence, nowMs: number): Silence =>
    listen(silence, { nowMs, heard: true, limitMs: LIMIT_MS });
  const first = heardAt(beginSilence(100, 500), 400);
  assert.deepEqual(first, beginSilence(400, 500), 'shorter');
  assert.deepEqual(heardAt(first, 1_000), beginSilence(1_000, 600), 'longer');
  assert.deepEqual(heardAt(first, 400), beginSilence(400, 500), 'none');
});

test('refuses a clock that goes back', () => {
  const silence = beginSilence(100, 0);
  assert.throws(() => listen(silence, { nowMs: 99, heard: false, limitMs: LIMIT_MS }), /monotonic clock/);
});
