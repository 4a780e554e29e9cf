// What each decision of a cycle says, word for word: a person reads it beside the job or the lease.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BYTES_PER_GB } from '@jarvis/contracts';
import { type Decision, schedule, type SchedulingSnapshot } from '../src/index.ts';
import { job, lease, memory, need, NOW, snapshot } from './snapshots.ts';

/** The reason of the first decision of this type. */
function reasonOf(type: Decision['type'], s: SchedulingSnapshot): string {
  const found = schedule(s).find((d) => d.type === type) ?? assert.fail(`${type} was decided`);
  return 'reason' in found ? found.reason : assert.fail(`${type} says why`);
}
const waits = job({ state: 'waiting_for_memory', leaseId: 'l1', slot: 0, waitingSinceMs: NOW });
const slots = [{ slot: 0, holder: 'j1' }];

test('a job takes a slot', () => {
  const free = [
    { slot: 0, holder: 'x' },
    { slot: 1, holder: null },
  ];
  assert.equal(
    reasonOf('take_slot', snapshot({ jobs: [job()], slots: free })),
    'takes slot 1 and asks for memory',
  );
});

test('a lease is granted, and the job starts', () => {
  assert.equal(reasonOf('grant_lease', snapshot({ leases: [lease()] })), 'measured: there is room');
  const granted = snapshot({ jobs: [waits], slots, leases: [lease({ state: 'granted' })] });
  assert.equal(reasonOf('start', granted), 'it has a slot and its memory');
});

test('a job that was to be cancelled ends', () => {
  const s = snapshot({ jobs: [job({ cancelRequested: true })] });
  assert.equal(reasonOf('cancel', s), 'cancelled before it started');
});

test('a job waited longer than it may', () => {
  const s = snapshot({ jobs: [job({ submittedAtMs: NOW - 60_000, maxWaitMs: 60_000 })] });
  assert.equal(reasonOf('cancel', s), 'its turn did not come within 60 s, the longest that it may wait');
});

test('too little memory: how much is needed, how much of how much there is; never less than nothing', () => {
  const s = snapshot({ leases: [lease({ need: need(51) })] });
  assert.equal(reasonOf('drain', s), 'it needs 51.00 GB and 50.00 GB of 64.00 GB can be given');
  const over = snapshot({ leases: [lease()], memory: memory({ othersBytes: 70 * BYTES_PER_GB }) });
  assert.equal(reasonOf('drain', over), 'it needs 40.00 GB and 0.00 GB of 64.00 GB can be given');
});

test('J-Prime in use: what it holds, and until when it is waited for', () => {
  const held = 20 * BYTES_PER_GB;
  const busy = memory({ services: [], prime: { heldBytes: held, idleMs: 59_999, activeRequests: 1 } });
  assert.equal(
    reasonOf('explain_lease', snapshot({ leases: [lease({ need: need(1) })], memory: busy })),
    'J-Prime is in use and holds 20.00 GB; it is waited for until it is idle for 60 s',
  );
});

test('nothing was measured lately', () => {
  const s = snapshot({ leases: [lease()], memory: null });
  assert.equal(reasonOf('explain_lease', s), 'memory has not been measured lately');
});

test('more than there ever is', () => {
  const never =
    'it needs 65.00 GB and at most 63.00 GB can ever be given: lower its need or raise MAX_TOTAL_MEMORY_GB';
  const safe = memory({ safetyBytes: BYTES_PER_GB });
  assert.equal(
    reasonOf('refuse_lease', snapshot({ leases: [lease({ need: need(65) })], memory: safe })),
    never,
  );
  assert.equal(reasonOf('explain', snapshot({ jobs: [job({ need: need(65) })], memory: safe })), never);
  const asks = { ...waits, need: need(65), leastRamBytes: 65 * BYTES_PER_GB };
  const holds = { jobs: [asks], slots, leases: [lease({ need: need(65) })] };
  assert.equal(reasonOf('requeue', snapshot({ ...holds, memory: safe })), never);
});

test('a job waits for memory: what would let it go, and when it gives its slot back', () => {
  const s = snapshot({ jobs: [waits], slots, leases: [lease({ state: 'draining', need: need(51) })] });
  assert.equal(
    reasonOf('explain', s),
    'waits for memory: it needs 51.00 GB and 50.00 GB of 64.00 GB can be given; ' +
      'it starts when there is room, and gives its slot back after 300 s',
  );
});

test('a job goes back to the queue: its lease ran out, it waited in vain, or a higher class came', () => {
  assert.equal(
    reasonOf('requeue', snapshot({ jobs: [waits], slots })),
    'its lease ran out before it could start',
  );
  const leases = [lease({ state: 'draining', need: need(51) })];
  const late = { ...waits, waitingSinceMs: NOW - 300_000 };
  assert.equal(
    reasonOf('requeue', snapshot({ jobs: [late], slots, leases })),
    'waited 300 s for memory: it needs 51.00 GB and 50.00 GB of 64.00 GB can be given',
  );
  const higher = job({ jobId: 'v', modelType: 'voice', priority: 'critical' });
  assert.equal(
    reasonOf('requeue', snapshot({ jobs: [waits, higher], slots, leases })),
    'voice job v is critical and takes the slot while this one waits for memory',
  );
});

test('a training gives way', () => {
  const low = job({ jobId: 't', priority: 'low', state: 'training', trainingSinceMs: NOW - 30_000 });
  const s = snapshot({ jobs: [low, job()], slots: [{ slot: 0, holder: 't' }] });
  assert.equal(
    reasonOf('preempt', s),
    'stops at a checkpoint and goes on later: nlu job j1 is high and waits',
  );
});
