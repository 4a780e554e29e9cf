// How long a job may wait, and what it is told meanwhile.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type JobView, type LeaseView, schedule, type SchedulingSnapshot } from '../src/index.ts';
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

  test('not one whose memory is there, while it is only Reactor Core that is away', () => {
    const leases = [lease({ state: 'granted' })];
    assert.deepEqual(kinds({ ...world, leases, reactorAway: 'it does not answer' }), []);
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

  test('that a slot is free for the next, or only of those that are held who holds them', () => {
    const two = [job({ jobId: 'a' }), job({ jobId: 'b', submittedAtMs: NOW })];
    assert.equal(
      told(snapshot({ jobs: two }), 'b'),
      'number 1 in the queue; it takes the next slot that is free',
    );
    const slots = [...busy.slots, { slot: 1, holder: null }];
    assert.equal(
      told(snapshot({ ...busy, slots }), 'b'),
      'number 1 in the queue; the slot is held by busy (vision, training); its turn comes when that ends',
    );
  });

  test('what the holder does, in plain words', () => {
    const waits = job({ jobId: 'w', state: 'waiting_for_memory', leaseId: 'l1', waitingSinceMs: NOW });
    const slots = [{ slot: 0, holder: 'w' }];
    const s = snapshot({ jobs: [waits, job()], slots, leases: [lease({ holder: 'w' })] });
    assert.match(told(s, 'j1'), /held by w \(nlu, waiting for memory\)/);
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

describe('who gives its slot to a higher class', () => {
  const waits = (jobId: string, priority: JobView['priority'], slot: number): JobView =>
    job({ jobId, priority, slot, state: 'waiting_for_memory', leaseId: `l-${jobId}`, waitingSinceMs: NOW });
  const asks = (holder: string): LeaseView =>
    lease({ leaseId: `l-${holder}`, holder, state: 'draining', need: need(60) });
  const higher = job({ jobId: 'n', priority: 'critical' });
  const back = (s: SchedulingSnapshot): string[] =>
    schedule(s).flatMap((d) => (d.type === 'requeue' ? [d.jobId] : []));

  test('nobody, while another slot is free', () => {
    const slots = [
      { slot: 0, holder: 'w' },
      { slot: 1, holder: null },
    ];
    const s = snapshot({ jobs: [waits('w', 'low', 0), higher], slots, leases: [asks('w')] });
    assert.deepEqual(kinds(s), ['take_slot']);
  });

  test('the lowest class of those that wait, whatever their order', () => {
    const slots = [0, 1].map((slot) => ({ slot, holder: `w${slot}` }));
    const leases = [asks('w0'), asks('w1')];
    const of = (a: JobView['priority'], b: JobView['priority']) =>
      back(snapshot({ jobs: [waits('w0', a, 0), waits('w1', b, 1), higher], slots, leases }));
    assert.deepEqual(of('normal', 'low'), ['w1']);
    assert.deepEqual(of('low', 'normal'), ['w0']);
  });

  test('each is judged by its own lease', () => {
    const slots = [0, 1].map((slot) => ({ slot, holder: `w${slot}` }));
    const leases = [asks('w0'), { ...asks('w1'), state: 'expired_unconfirmed' as const }];
    assert.deepEqual(
      back(snapshot({ jobs: [waits('w0', 'low', 0), waits('w1', 'low', 1)], slots, leases })),
      ['w1'],
    );
  });
});
