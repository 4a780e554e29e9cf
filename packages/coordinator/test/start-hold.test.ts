import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StartHold } from '../src/start-hold.ts';

const busy = { reason: 'no slot is free', retryAfterMs: 5_000 };

test('nothing is started for as long as was asked for, and then again', () => {
  const hold = new StartHold();
  assert.equal(hold.reason(0), null);
  assert.equal(hold.refused(busy, 0), 5_000);
  assert.match(hold.reason(4_999) ?? '', /no slot is free.*1970-01-01T00:00:05\.000Z/);
  assert.equal(hold.reason(5_000), null);
});

test('each refusal in a row holds for twice as long, up to a minute; a start forgets them', () => {
  const hold = new StartHold();
  assert.deepEqual(
    [1, 2, 3, 4, 5, 6].map(() => hold.refused(busy, 0)),
    [5_000, 10_000, 20_000, 40_000, 60_000, 60_000],
  );
  hold.started();
  assert.equal(hold.reason(1), null);
  assert.equal(hold.refused(busy, 0), 5_000);
});

test('a clock that was set back holds for no longer than was meant', () => {
  const hold = new StartHold();
  hold.refused(busy, 1_000_000);
  assert.equal(hold.reason(0), null);
  const longest = { ...busy, retryAfterMs: 60_000 };
  hold.started();
  hold.refused(longest, 1_000_000);
  assert.notEqual(hold.reason(1_000_000), null);
  assert.equal(hold.reason(999_999), null);
});
