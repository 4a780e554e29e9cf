// Each invariant of J-Prime is broken once, and said in a sentence that names what and how much.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SERVED_VERSION_STATES } from '@jarvis/contracts';
import { checkPrimeInvariants, type PrimeFacts } from '../src/index.ts';

const sound: PrimeFacts = {
  files: [],
  served: [
    { name: 'nlu v0.1.0', state: 'ready', detail: '', answers: true },
    { name: 'nlu v0.2.0', state: 'loading', detail: '', answers: false },
    { name: 'nlu v0.3.0', state: 'broken', detail: 'its graph is no graph', answers: false },
    { name: 'nlu v0.0.1', state: 'draining', detail: '', answers: false },
  ],
  outbox: { unreadable: [], lastTriedSeq: 3, firstFreshSeq: 4, gatheredTwice: [] },
  room: { open: 0, unreadable: [], lent: true },
  notes: [],
};

const brokenIn = (over: Partial<PrimeFacts>): string[] =>
  checkPrimeInvariants({ ...sound, ...over }).broken.map(
    ({ invariant, message }) => `${invariant}: ${message}`,
  );

test('ready, under way, or broken with a reason: all hold, and all was looked at', () => {
  assert.deepEqual(checkPrimeInvariants({ ...sound, notes: ['2 files were not read'] }), {
    checked: ['I2', 'I7', 'I8', 'outbox'],
    broken: [],
    notes: ['2 files were not read'],
  });
});

test('a version that is asked without being ready, and one that is broken without a reason', () => {
  const broken = (change: Partial<PrimeFacts['served'][number]>): string[] =>
    brokenIn({ served: [{ name: 'nlu v0.1.0', state: 'ready', detail: '', answers: true, ...change }] });
  for (const state of SERVED_VERSION_STATES.filter((s) => s !== 'ready'))
    assert.deepEqual(broken({ state }), [`I7: nlu v0.1.0 is asked for answers and is ${state}`]);
  assert.deepEqual(broken({ answers: false }), [], 'ready, and not asked yet');
  assert.deepEqual(broken({ state: 'broken', answers: false }), [
    'I7: nlu v0.1.0 is broken and nothing says why',
  ]);
});

test('each version that breaks something is named', () => {
  const served = sound.served.map((version) => ({ ...version, answers: true, detail: '' }));
  assert.deepEqual(brokenIn({ served }), [
    'I7: nlu v0.2.0 is asked for answers and is loading',
    'I7: nlu v0.3.0 is asked for answers and is broken',
    'I7: nlu v0.0.1 is asked for answers and is draining',
  ]);
});

test('a request for room that cannot be read, and memory that was given away and counts as ours', () => {
  const room = { open: 0, unreadable: [], lent: false };
  assert.deepEqual(brokenIn({ room }), [], 'all of it is ours');
  assert.deepEqual(brokenIn({ room: { ...room, open: 1, lent: true } }), [], 'given away, and counted so');
  assert.deepEqual(brokenIn({ room: { ...room, open: 1 } }), [
    'I2: 1 requests for room have not come back, and the memory counts as ours',
  ]);
  assert.deepEqual(
    brokenIn({ room: { open: 2, unreadable: ['r1 has no bytes', 'r2 is no JSON'], lent: false } }),
    [
      'I2: a request for room: r1 has no bytes',
      'I2: a request for room: r2 is no JSON',
      'I2: 2 requests for room have not come back, and the memory counts as ours',
    ],
  );
});

test('a file that is not as promised', () => {
  const file = { wantedBytes: 9, wantedSha256: 'aa', foundSha256: null };
  const files = [
    { ...file, whose: 'the model of nlu v0.1.0', foundBytes: 9 },
    { ...file, whose: 'the model of nlu v0.2.0', foundBytes: null },
  ];
  assert.deepEqual(brokenIn({ files }), ['I8: the model of nlu v0.2.0 is not there']);
});

describe('the outbox', () => {
  const outbox = (over: Partial<PrimeFacts['outbox']>): string[] =>
    brokenIn({ outbox: { ...sound.outbox, ...over } });

  test('holds only evidence, and gathers the requests of one step in one row', () => {
    assert.deepEqual(outbox({ unreadable: ['row 4 is no JSON'], gatheredTwice: ['d1 candidate step 2'] }), [
      'outbox: a row is no evidence: row 4 is no JSON',
      'outbox: the requests of d1 candidate step 2 gather in more than one row',
    ]);
  });

  test('is sent in its order', () => {
    assert.deepEqual(outbox({ lastTriedSeq: 5 }), ['outbox: row 5 was sent before row 4, which came first']);
  });

  test('has no order to break where all was tried, or nothing', () => {
    assert.deepEqual(outbox({ firstFreshSeq: null }), []);
    assert.deepEqual(outbox({ lastTriedSeq: null }), []);
    assert.deepEqual(outbox({ lastTriedSeq: null, firstFreshSeq: null }), []);
  });
});

test('all that is broken is told, in the order of the invariants', () => {
  const broken = brokenIn({
    room: { open: 1, unreadable: [], lent: false },
    served: [{ name: 'nlu v0.1.0', state: 'broken', detail: '', answers: false }],
    files: [{ whose: 'its file', wantedBytes: 9, wantedSha256: 'aa', foundBytes: 8, foundSha256: null }],
    outbox: { ...sound.outbox, lastTriedSeq: 9 },
  });
  assert.deepEqual(broken, [
    'I2: 1 requests for room have not come back, and the memory counts as ours',
    'I7: nlu v0.1.0 is broken and nothing says why',
    'I8: its file has 8 bytes, not 9',
    'outbox: row 9 was sent before row 4, which came first',
  ]);
});
