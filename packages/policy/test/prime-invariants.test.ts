// What of J-Prime's invariants no damage on disk can bring about: versions that answer or are broken.
import assert from 'node:assert/strict';
import { test } from 'node:test';
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

test('ready, under way, or broken with a reason: all hold', () => {
  assert.deepEqual(checkPrimeInvariants(sound).broken, []);
});

test('a version that is asked without being ready, and one that is broken without a reason', () => {
  const broken = (change: Partial<PrimeFacts['served'][number]>): string[] =>
    checkPrimeInvariants({
      ...sound,
      served: [{ name: 'nlu v0.1.0', state: 'ready', detail: '', answers: true, ...change }],
    }).broken.map(({ invariant, message }) => `${invariant}: ${message}`);
  assert.deepEqual(broken({ state: 'draining' }), ['I7: nlu v0.1.0 is asked for answers and is draining']);
  assert.deepEqual(broken({ state: 'broken', answers: false }), [
    'I7: nlu v0.1.0 is broken and nothing says why',
  ]);
});
