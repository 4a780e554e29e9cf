import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import {
  decideLock,
  isLockOver,
  type LockDecision,
  type LockRequest,
  type LockView,
  mayRenewLock,
} from '../src/index.ts';

const HELD: LockView = {
  isSlot: false,
  holder: 'a',
  requestId: 'r1',
  token: 7,
  expiresAtMs: 1_000,
  ttlMs: 600,
};
const FREE: LockView = { ...HELD, holder: null, requestId: null, expiresAtMs: null, ttlMs: null };
const SLOT: LockView = { ...HELD, isSlot: true, requestId: null, ttlMs: null };
const REQUEST: LockRequest = { holder: 'b', requestId: 'r2', nowMs: 500, ttlMs: 900, inTurn: true };

const decided = (lock: LockView, over: Partial<LockRequest> = {}): LockDecision =>
  decideLock(lock, { ...REQUEST, ...over });

describe('a free lock', () => {
  test('is granted under the next token, for as long as was asked', () => {
    const grant = { kind: 'grant', token: 8, ttlMs: 900, replaces: null };
    assert.deepEqual(decided(FREE), grant);
    assert.deepEqual(decided(FREE, { requestId: null }), grant);
    assert.deepEqual(decided({ ...FREE, isSlot: true }), grant);
  });

  test('ends no grant, even where it still says whose the last one was', () => {
    assert.deepEqual(decided({ ...FREE, requestId: 'r1' }), {
      kind: 'grant',
      token: 8,
      ttlMs: 900,
      replaces: null,
    });
  });

  test('is not granted to whom others precede', () => {
    assert.deepEqual(decided(FREE, { inTurn: false }), { kind: 'held', expiresAtMs: null });
  });
});

describe('a lock that another holds', () => {
  test('is held up to its time, and granted from then on in place of the old grant', () => {
    assert.deepEqual(decided(HELD, { nowMs: 999 }), { kind: 'held', expiresAtMs: 1_000 });
    assert.deepEqual(decided(HELD, { nowMs: 1_000 }), {
      kind: 'grant',
      token: 8,
      ttlMs: 900,
      replaces: 'r1',
    });
    assert.deepEqual(decided(HELD, { nowMs: 1_000, inTurn: false }), { kind: 'held', expiresAtMs: 1_000 });
  });

  test('is over where no time is known for it', () => {
    assert.equal(decided({ ...HELD, expiresAtMs: null }).kind, 'grant');
  });

  test('is a conflict to ask for under the id of its request, also when its time is over', () => {
    assert.deepEqual(decided(HELD, { requestId: 'r1' }), { kind: 'conflict' });
    assert.deepEqual(decided(HELD, { requestId: 'r1', nowMs: 1_000 }), { kind: 'conflict' });
  });

  test('is no conflict for two that have no id', () => {
    assert.equal(decided({ ...HELD, requestId: null }, { requestId: null }).kind, 'held');
    const later = decided({ ...HELD, requestId: null }, { requestId: null, nowMs: 1_000 });
    assert.deepEqual(later, { kind: 'grant', token: 8, ttlMs: 900, replaces: null });
  });

  test('after the clock was set back, it is held no longer than it was asked for', () => {
    assert.deepEqual(decided(HELD, { nowMs: 100 }), { kind: 'held', expiresAtMs: 700 });
    assert.deepEqual(decided(HELD, { nowMs: 400 }), { kind: 'held', expiresAtMs: 1_000 });
    const unknown = decided({ ...HELD, ttlMs: null }, { nowMs: 100 });
    assert.deepEqual(unknown, { kind: 'held', expiresAtMs: 1_000 }, 'as far as that is known');
  });
});

describe('the holder asks again', () => {
  const own = { holder: 'a', requestId: 'r1' } as const;

  test('with the same request: the same grant, for as long as was asked at first, even out of turn', () => {
    assert.deepEqual(decided(HELD, own), { kind: 'repeat', token: 7, ttlMs: 600 });
    assert.deepEqual(decided(HELD, { ...own, inTurn: false }), { kind: 'repeat', token: 7, ttlMs: 600 });
    assert.deepEqual(decided({ ...HELD, ttlMs: null }, own), { kind: 'repeat', token: 7, ttlMs: 900 });
  });

  test('with a request whose time is over: it has had its grant', () => {
    assert.deepEqual(decided(HELD, { ...own, nowMs: 1_000 }), { kind: 'ended' });
  });

  test('with another request, or one without an id: it waits like anybody, and replaces itself', () => {
    for (const requestId of ['r2', null]) {
      assert.equal(decided(HELD, { holder: 'a', requestId }).kind, 'held');
      assert.deepEqual(decided(HELD, { holder: 'a', requestId, nowMs: 1_000 }), {
        kind: 'grant',
        token: 8,
        ttlMs: 900,
        replaces: 'r1',
      });
    }
  });

  test('without an id for a grant that has none: the same grant, for as long as is asked now', () => {
    const anonymous = { ...HELD, requestId: null };
    const again = { holder: 'a', requestId: null };
    assert.deepEqual(decided(anonymous, again), { kind: 'repeat', token: 7, ttlMs: 900 });
    assert.equal(decided(anonymous, { ...again, nowMs: 1_000 }).kind, 'grant', 'a new one after its time');
  });
});

describe('a training slot', () => {
  test('is not freed by time: held for others, the same for its job', () => {
    const long = { nowMs: 1_000_000 };
    assert.deepEqual(decided(SLOT, long), { kind: 'held', expiresAtMs: 1_000 });
    assert.deepEqual(decided(SLOT, { ...long, holder: 'a', requestId: null }), {
      kind: 'repeat',
      token: 7,
      ttlMs: 900,
    });
  });

  test('may be held without any time: none is told to who waits', () => {
    const timeless = { ...SLOT, expiresAtMs: null, ttlMs: 600 };
    assert.deepEqual(decided(timeless), { kind: 'held', expiresAtMs: null });
  });

  test('is known by its job alone, whatever request it comes with', () => {
    assert.equal(decided(SLOT, { holder: 'a', requestId: 'r2' }).kind, 'repeat');
  });
});

test('a grant is renewed with its own token, by its own holder, before its time is over', () => {
  const own = { holder: 'a', token: 7 };
  assert.equal(mayRenewLock(HELD, own, 999), true);
  assert.equal(mayRenewLock(HELD, own, 1_000), false);
  assert.equal(mayRenewLock(SLOT, own, 1_000_000), true, 'a slot late, too');
  for (const lock of [HELD, SLOT]) {
    assert.equal(mayRenewLock(lock, { ...own, holder: 'b' }, 0), false);
    assert.equal(mayRenewLock(lock, { ...own, token: 6 }, 0), false);
    assert.equal(mayRenewLock(lock, { ...own, token: 8 }, 0), false);
    assert.equal(mayRenewLock({ ...lock, holder: null }, own, 0), false);
  }
});

const steps = fc.array(
  fc.record({
    /** The clock may be set back. */
    waitMs: fc.integer({ min: -500, max: 1_500 }),
    holder: fc.constantFrom('a', 'b', 'c'),
    requestId: fc.option(fc.constantFrom('r1', 'r2', 'r3', 'r4')),
    ttlMs: fc.integer({ min: 1, max: 1_000 }),
    inTurn: fc.boolean(),
  }),
  { maxLength: 60 },
);
type Step = typeof steps extends fc.Arbitrary<readonly (infer T)[]> ? T : never;

interface Turn {
  readonly before: LockView;
  readonly request: LockRequest;
  readonly decision: LockDecision;
  readonly after: LockView;
}

/** What whoever keeps the lock does with the decision. */
function kept(lock: LockView, { holder, requestId, nowMs }: LockRequest, decision: LockDecision): LockView {
  switch (decision.kind) {
    case 'grant': {
      const { token, ttlMs } = decision;
      return { ...lock, holder, requestId, token, ttlMs, expiresAtMs: nowMs + ttlMs };
    }
    case 'repeat':
      return { ...lock, ttlMs: decision.ttlMs, expiresAtMs: nowMs + decision.ttlMs };
    case 'held':
      return { ...lock, expiresAtMs: decision.expiresAtMs };
    case 'ended':
    case 'conflict':
      return lock;
  }
}

function follow(isSlot: boolean, waits: readonly Step[]): Turn[] {
  const turns: Turn[] = [];
  let nowMs = 10_000;
  let before: LockView = { ...FREE, isSlot, token: 0 };
  for (const { waitMs, ...asked } of waits) {
    nowMs += waitMs;
    const request = { ...asked, nowMs };
    const decision = decideLock(before, request);
    const after = kept(before, request, decision);
    turns.push({ before, request, decision, after });
    before = after;
  }
  return turns;
}

test('never is it granted while the time of another is not over, and a slot never while anybody has it', () => {
  fc.assert(
    fc.property(fc.boolean(), steps, (isSlot, waits) => {
      for (const { before, request, decision } of follow(isSlot, waits)) {
        if (decision.kind !== 'grant' || before.holder === null) continue;
        assert.equal(isSlot, false);
        assert.ok(isLockOver(before, request.nowMs));
        assert.ok((before.expiresAtMs ?? Infinity) <= request.nowMs);
      }
    }),
  );
});

test('tokens only grow, by one with each grant; another holder always has another token', () => {
  fc.assert(
    fc.property(fc.boolean(), steps, (isSlot, waits) => {
      for (const { before, decision, after } of follow(isSlot, waits)) {
        assert.equal(after.token, before.token + (decision.kind === 'grant' ? 1 : 0));
        if (after.holder !== before.holder) assert.equal(decision.kind, 'grant');
      }
    }),
  );
});

test('who is told that it is held waits no longer than for the TTL of the grant, wherever the clock went', () => {
  fc.assert(
    fc.property(steps, (waits) => {
      for (const { before, request, decision } of follow(false, waits))
        if (decision.kind === 'held' && decision.expiresAtMs !== null && before.ttlMs !== null)
          assert.ok(decision.expiresAtMs <= request.nowMs + before.ttlMs);
    }),
  );
});

test('a copy of the request that was just granted takes nothing: it gets the same grant, or nothing after that', () => {
  fc.assert(
    fc.property(steps, fc.nat({ max: 2_000 }), (waits, lateMs) => {
      for (const { request, decision, after } of follow(false, waits)) {
        if (decision.kind !== 'grant' || request.requestId === null) continue;
        const copy = decideLock(after, { ...request, nowMs: request.nowMs + lateMs });
        const { token, ttlMs } = decision;
        assert.deepEqual(copy, lateMs < ttlMs ? { kind: 'repeat', token, ttlMs } : { kind: 'ended' });
      }
    }),
  );
});
