// Each invariant of JARVIS Core is broken once, and said in a sentence that names who and how much.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isTerminal, JOB_LIFECYCLE, JOB_STATES } from '@jarvis/contracts';
import * as fc from 'fast-check';
import { checkCoreInvariants, type CoreFacts } from '../src/index.ts';

/** One job trains in the one slot; three experiences; all is well. */
const WELL: CoreFacts = {
  slotsAllowed: 1,
  heldSlots: [{ slot: 0, holder: 'a', token: 7 }],
  jobsWithSlot: [{ jobId: 'a', slot: 0, token: 7 }],
  reservedBytes: 10,
  grantableBytes: 10,
  counts: [{ what: 'nlu asked', counted: 3, countedTrainable: 2, stored: 3, storedTrainable: 2 }],
  acknowledged: 3,
  stored: 3,
  numbered: 3,
  jobEvents: [
    { jobId: 'a', state: 'training', events: 4, lastSeq: 4, ends: 0, endSeq: 0 },
    { jobId: 'b', state: 'completed', events: 5, lastSeq: 5, ends: 1, endSeq: 5 },
  ],
};
const brokenIn = (over: Partial<CoreFacts>) => checkCoreInvariants({ ...WELL, ...over }).broken;

test('nothing is broken where all is well, and every invariant was looked at', () => {
  assert.deepEqual(checkCoreInvariants(WELL), { checked: ['I1', 'I2', 'I3', 'I4'], broken: [] });
});

test('before the first measurement nothing can be said of memory', () => {
  const report = checkCoreInvariants({ ...WELL, grantableBytes: null });
  assert.deepEqual(report, { checked: ['I1', 'I3', 'I4'], broken: [] });
});

describe('I1: one trainer', () => {
  test('more slots held than may be', () => {
    const heldSlots = [...WELL.heldSlots, { slot: 1, holder: 'stranger', token: 8 }];
    assert.deepEqual(brokenIn({ heldSlots }), [
      { invariant: 'I1', message: '2 slots are held (by a, stranger), 1 may be' },
    ]);
    assert.deepEqual(brokenIn({ heldSlots, slotsAllowed: 2 }), []);
  });

  test('a job that works in a slot that is free, or held by another, under another token, or in another place', () => {
    const message = 'job a works without holding slot 0 with token 7';
    const own = { slot: 0, holder: 'a', token: 7 };
    for (const heldSlots of [
      [],
      [{ ...own, holder: 'b' }],
      [{ ...own, token: 8 }],
      [{ ...own, slot: 1 }],
    ] as const)
      assert.deepEqual(brokenIn({ heldSlots }), [{ invariant: 'I1', message }]);
  });

  test('with several slots each job is looked for in all of them', () => {
    const heldSlots = [...WELL.heldSlots, { slot: 1, holder: 'b', token: 8 }];
    const jobsWithSlot = [...WELL.jobsWithSlot, { jobId: 'b', slot: 1, token: 8 }];
    assert.deepEqual(brokenIn({ heldSlots, jobsWithSlot, slotsAllowed: 2 }), []);
  });
});

test('I2: more memory is reserved than there ever is to give', () => {
  assert.deepEqual(brokenIn({ reservedBytes: 11 }), [
    { invariant: 'I2', message: '11 bytes are reserved, 10 may be at most' },
  ]);
});

describe('I3: no experience lost or counted twice', () => {
  test('the counters of a kind differ from what is stored of it', () => {
    const [count] = WELL.counts;
    assert.ok(count);
    const message = 'nlu asked: 3 counted (2 to learn from), 4 stored (2)';
    assert.deepEqual(brokenIn({ counts: [{ ...count, stored: 4 }] }), [{ invariant: 'I3', message }]);
    const trainable = 'nlu asked: 3 counted (2 to learn from), 3 stored (1)';
    assert.deepEqual(brokenIn({ counts: [{ ...count, storedTrainable: 1 }] }), [
      { invariant: 'I3', message: trainable },
    ]);
  });

  test('more were acknowledged than are stored', () => {
    assert.deepEqual(brokenIn({ acknowledged: 4 }), [
      { invariant: 'I3', message: '4 experiences were acknowledged, 3 are stored' },
    ]);
  });

  test('a number was given twice, or to nothing', () => {
    assert.deepEqual(brokenIn({ numbered: 2 }), [
      { invariant: 'I3', message: '2 numbers were given, 3 experiences are stored' },
    ]);
  });
});

describe('I4: every job ends once, its events without a gap', () => {
  const job = { jobId: 'a', state: 'training', events: 4, lastSeq: 4, ends: 0, endSeq: 0 } as const;
  const messages = (over: object): string[] =>
    brokenIn({ jobEvents: [{ ...job, ...over }] }).map((b) => `${b.invariant}: ${b.message}`);

  test('a gap, and a job without any event', () => {
    assert.deepEqual(messages({ lastSeq: 5 }), ['I4: job a has 4 events, the last is number 5']);
    assert.deepEqual(messages({ events: 0, lastSeq: 0 }), ['I4: job a has 0 events, the last is number 0']);
  });

  test('an end of one that goes on, no end or two ends of one that is over', () => {
    assert.deepEqual(messages({ ends: 1, endSeq: 4 }), ['I4: job a is training and was told to end 1 times']);
    const failed = { state: 'failed', endSeq: 4 };
    assert.deepEqual(messages({ ...failed, ends: 0 }), ['I4: job a is failed and was told to end 0 times']);
    assert.deepEqual(messages({ ...failed, ends: 2 }), ['I4: job a is failed and was told to end 2 times']);
  });

  test('something was told after the end', () => {
    assert.deepEqual(messages({ state: 'cancelled', ends: 1, endSeq: 3 }), [
      'I4: job a ended with event 3, and event 4 came after it',
    ]);
  });

  test('whatever its state and length, a true story breaks nothing', () => {
    fc.assert(
      fc.property(fc.constantFrom(...JOB_STATES), fc.integer({ min: 1, max: 1000 }), (state, events) => {
        const ended = isTerminal(JOB_LIFECYCLE, state);
        const story = { state, events, lastSeq: events, ends: ended ? 1 : 0, endSeq: ended ? events : 0 };
        assert.deepEqual(messages(story), []);
      }),
    );
  });
});
