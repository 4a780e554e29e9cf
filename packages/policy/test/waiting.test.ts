// How long a job may wait, and what it is told meanwhile.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { schedule } from '../src/index.ts';
import { job, kinds, lease, need, NOW, snapshot, told } from './snapshots.ts';

describe('the longest wait', () => {
  test('a job that has not run by then is cancelled, with the reason; one that has run is not', () => {
    const waited = job({ submittedAtMs: NOW - 60_000, maxWaitMs: 60_000 });
    const [decision] = schedule(snapshot({ jobs: [waited] }));
    assert.equal(decision?.type, 'cancel');
    assert.match(decision?.type === 'cancel' ? decision.reason : '', /within 60 s/);
    assert.deepEqual(kinds(snapshot({ jobs: [{ ...waited, submittedAtMs: NOW - 59_999 }] })), ['take_slot']);
    assert.deepEqual(kinds(snapshot({ jobs: [{ ...waited, hasRun: true }] })), ['take_slot']);
    assert.deepEqual(kinds(snapshot({ jobs: [{ ...waited, maxWaitMs: null }] })), ['take_slot']);
  });

  test('also while it waits for memory; it does not start any more', () => {
    const waits = job({
      state: 'waiting_for_memory',
      leaseId: 'l1',
      slot: 0,
      submittedAtMs: NOW - 60_000,
      maxWaitMs: 60_000,
    });
    const slots = [{ slot: 0, holder: 'j1' }];
    assert.deepEqual(kinds(snapshot({ jobs: [waits], slots, leases: [lease({ state: 'granted' })] })), [
      'cancel',
    ]);
    const training = { ...waits, state: 'training' as const };
    assert.deepEqual(kinds(snapshot({ jobs: [training], slots })), []);
  });
});

describe('who waited for memory in vain', () => {
  const waits = job({ state: 'waiting_for_memory', leaseId: 'l1', slot: 0, waitingSinceMs: NOW - 300_000 });
  const world = snapshot({
    jobs: [waits, job({ jobId: 'next' })],
    slots: [{ slot: 0, holder: 'j1' }],
    leases: [lease({ state: 'draining', need: need(60) })],
  });

  test('gives its slot back and lets others have a try for a tenth of that time', () => {
    const back = schedule(world).find((d) => d.type === 'requeue');
    assert.equal(back?.type === 'requeue' ? back.notBeforeMs : 0, NOW + 30_000);
  });

  test('not a moment before', () => {
    const jobs = [{ ...waits, waitingSinceMs: NOW - 299_999 }];
    assert.deepEqual(kinds({ ...world, jobs }), []);
    assert.match(told({ ...world, jobs }, 'j1'), /gives its slot back after 300 s/);
  });
});

describe('what a job in the queue is told', () => {
  const busy = {
    jobs: [
      job({ jobId: 'busy', modelType: 'vision', state: 'training', slot: 0, trainingSinceMs: NOW }),
      job({ jobId: 'a' }),
      job({ jobId: 'b', submittedAtMs: NOW }),
    ],
    slots: [{ slot: 0, holder: 'busy' }],
  };

  test('its place, who holds the slot, and what would let it go', () => {
    assert.equal(
      told(snapshot(busy), 'b'),
      'number 2 in the queue; the slot is held by busy (vision, training); its turn comes when that ends',
    );
    const slots = [...busy.slots, { slot: 1, holder: 'somebody-else' }];
    assert.match(
      told(snapshot({ ...busy, slots }), 'a'),
      /^number 1 .*the slots are held by busy \(vision, training\), somebody-else; its turn comes when one of them ends$/,
    );
  });

  test('when it is tried again; that Reactor Core is away', () => {
    const retry = job({ notBeforeMs: NOW + 1000 });
    assert.equal(
      told(snapshot({ jobs: [retry] }), 'j1'),
      `it is tried again at ${new Date(NOW + 1000).toISOString()}`,
    );
    const away = told(snapshot({ jobs: [job()], reactorAway: 'it does not answer' }), 'j1');
    assert.equal(
      away,
      'number 1 in the queue; nothing is started: it does not answer; it goes when Reactor Core answers',
    );
  });

  test('far behind, no exact place: each start would change every sentence', () => {
    const many = Array.from({ length: 102 }, (_, i) => job({ jobId: `j${i}`, submittedAtMs: NOW - 200 + i }));
    const s = snapshot({ jobs: [...busy.jobs.slice(0, 1), ...many], slots: busy.slots });
    assert.match(told(s, 'j99'), /^number 100 in the queue/);
    const far = 'more than 100 jobs are before it in the queue; its turn comes after theirs';
    assert.equal(told(s, 'j100'), far);
    assert.equal(told({ ...s, slots: [{ slot: 0, holder: 'another' }] }, 'j100'), far);
  });
});
