import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BYTES_PER_GB, PRIORITY_CLASSES, PRIORITY_RANK } from '@jarvis/contracts';
import * as fc from 'fast-check';
import {
  availableBytes,
  effectiveRank,
  type JobView,
  type LeaseView,
  orderQueue,
  schedule,
} from '../src/index.ts';
import { HOUR, job, kinds, lease, memory, need, NOW, snapshot } from './snapshots.ts';

describe('order', () => {
  test('class first, then submit time', () => {
    const jobs = [
      job({ jobId: 'a', priority: 'low', submittedAtMs: NOW - 30 }),
      job({ jobId: 'b', priority: 'critical', submittedAtMs: NOW - 10 }),
      job({ jobId: 'c', priority: 'high', submittedAtMs: NOW - 20 }),
      job({ jobId: 'd', priority: 'high', submittedAtMs: NOW - 25 }),
    ];
    assert.deepEqual(
      orderQueue(jobs, NOW, HOUR).map((j) => j.jobId),
      ['b', 'd', 'c', 'a'],
    );
  });

  test('aging lifts by one class and never by two', () => {
    fc.assert(
      fc.property(fc.constantFrom(...PRIORITY_CLASSES), fc.nat(1000 * HOUR), (priority, waitedMs) => {
        const base = PRIORITY_RANK[priority];
        const rank = effectiveRank(job({ priority, submittedAtMs: NOW - waitedMs }), NOW, HOUR);
        assert.equal(rank, waitedMs >= HOUR ? Math.max(0, base - 1) : base);
      }),
    );
  });

  test('aging lifts at its very moment, and not before', () => {
    const waited = (ms: number) => effectiveRank(job({ submittedAtMs: NOW - ms }), NOW, HOUR);
    assert.equal(waited(HOUR - 1), PRIORITY_RANK.high);
    assert.equal(waited(HOUR), PRIORITY_RANK.critical);
  });

  test('jobs that are equal in all else go by their names', () => {
    const jobs = ['b', 'd', 'a', 'c'].map((jobId) => job({ jobId }));
    assert.deepEqual(
      orderQueue(jobs, NOW, HOUR).map((j) => j.jobId),
      ['a', 'b', 'c', 'd'],
    );
  });

  test('the order is total: it does not depend on the order of the input', () => {
    const arbitrary = fc.record({
      priority: fc.constantFrom(...PRIORITY_CLASSES),
      submittedAtMs: fc.integer({ min: NOW - 3 * HOUR, max: NOW }),
    });
    fc.assert(
      fc.property(fc.array(arbitrary, { maxLength: 20 }), (rows) => {
        const jobs = rows.map((r, i) => job({ ...r, jobId: `j${i}` }));
        assert.deepEqual(orderQueue(jobs, NOW, HOUR), orderQueue(jobs.toReversed(), NOW, HOUR));
      }),
    );
  });
});

describe('memory', () => {
  test('the story: 38 of 64 GB are held, 40 are needed: not granted, J-Prime is asked for what is missing', () => {
    const held = memory({
      othersBytes: 0,
      services: [{ owner: 'j-prime', measuredBytes: 38 * BYTES_PER_GB }],
      prime: { heldBytes: 38 * BYTES_PER_GB, idleMs: 0, activeRequests: 1 },
    });
    const decisions = schedule(snapshot({ memory: held, leases: [lease()] }));
    assert.deepEqual(
      decisions.map((d) => d.type),
      ['drain'],
    );
    assert.equal(decisions[0]?.type === 'drain' ? decisions[0].bytes : 0, 14 * BYTES_PER_GB);
  });

  test('it is granted once the measurement has room, and not before', () => {
    assert.deepEqual(kinds(snapshot({ leases: [lease({ state: 'draining' })] })), ['grant_lease']);
    assert.deepEqual(kinds(snapshot({ leases: [lease({ state: 'draining', need: need(51) })] })), []);
    assert.deepEqual(kinds(snapshot({ memory: null, leases: [lease()] })), []);
  });

  test('a busy J-Prime above the threshold is waited for, an idle one is not', () => {
    const big = (idleMs: number) =>
      memory({
        services: [{ owner: 'j-prime', measuredBytes: 21 * BYTES_PER_GB }],
        prime: { heldBytes: 21 * BYTES_PER_GB, idleMs, activeRequests: 0 },
      });
    assert.deepEqual(kinds(snapshot({ memory: big(1000), leases: [lease({ need: need(1) })] })), []);
    assert.deepEqual(kinds(snapshot({ memory: big(60_000), leases: [lease({ need: need(1) })] })), [
      'grant_lease',
    ]);
  });

  test('two leases that fit only one by one are not both granted', () => {
    const decisions = kinds(
      snapshot({
        leases: [
          lease({ leaseId: 'a', holder: 'j1', need: need(30) }),
          lease({ leaseId: 'b', holder: 'j2', need: need(30) }),
        ],
      }),
    );
    assert.deepEqual(decisions, ['grant_lease', 'drain']);
  });

  test('what does not fit keeps nothing from a smaller one behind it', () => {
    const leases = [30, 30, 20].map((gb, i) => lease({ leaseId: `l${i}`, holder: `h${i}`, need: need(gb) }));
    const decisions = schedule(snapshot({ leases }));
    assert.deepEqual(
      decisions.map((d) => ('leaseId' in d ? `${d.type} ${d.leaseId}` : d.type)),
      ['grant_lease l0', 'drain l1', 'grant_lease l2'],
    );
  });

  test('a granted lease expires at its time and not before; one that was not granted, or has no time, does not', () => {
    const expires = (over: Partial<LeaseView>): boolean =>
      kinds(snapshot({ leases: [lease(over)] })).includes('expire_lease');
    assert.ok(expires({ state: 'granted', expiresAtMs: NOW }));
    assert.ok(!expires({ state: 'granted', expiresAtMs: NOW + 1 }));
    assert.ok(!expires({ state: 'granted', expiresAtMs: null }));
    assert.ok(!expires({ state: 'requested', expiresAtMs: NOW - 1 }));
  });

  test('the lease of a job is neither refused nor explained: the job is', () => {
    const slots = [{ slot: 0, holder: 'j1' }];
    const waits = job({ state: 'waiting_for_memory', leaseId: 'l1', slot: 0, waitingSinceMs: NOW });
    const types = (gb: number) =>
      schedule(
        snapshot({
          jobs: [{ ...waits, need: need(gb), leastRamBytes: need(gb).ram_bytes }],
          slots,
          leases: [lease({ need: need(gb) })],
          memory: memory({ prime: null }),
        }),
      ).map((d) => d.type);
    assert.deepEqual(types(51), ['explain']);
    assert.deepEqual(types(65), ['requeue', 'explain']);
  });

  test('an expired lease keeps its memory until it is confirmed', () => {
    const leases = [
      lease({ leaseId: 'a', state: 'granted', expiresAtMs: NOW - 1 }),
      lease({ leaseId: 'b', holder: 'j2', need: need(30) }),
    ];
    assert.deepEqual(kinds(snapshot({ leases })), ['expire_lease', 'drain']);
  });

  test('I2: whatever is granted, max(reserved, measured) + others + safety stays within the budget', () => {
    const gb = fc.integer({ min: 0, max: 64 });
    fc.assert(
      fc.property(
        fc.array(fc.record({ need: gb, granted: fc.boolean(), used: gb }), { maxLength: 6 }),
        gb,
        gb,
        gb,
        (rows, others, prime, safety) => {
          const leases = rows.map((r, i) =>
            lease({
              leaseId: `l${i}`,
              holder: `j${i}`,
              need: need(r.need),
              state: r.granted ? 'granted' : 'requested',
            }),
          );
          const trainers = Object.fromEntries(
            rows.flatMap((r, i) => (r.granted ? [[`j${i}`, r.used * BYTES_PER_GB]] : [])),
          );
          const view = memory({
            othersBytes: others * BYTES_PER_GB,
            safetyBytes: safety * BYTES_PER_GB,
            holders: trainers,
            services: [{ owner: 'j-prime', measuredBytes: prime * BYTES_PER_GB }],
            prime: null,
          });
          const granted = new Set(
            schedule(snapshot({ memory: view, leases })).flatMap((d) =>
              d.type === 'grant_lease' ? [d.leaseId] : [],
            ),
          );
          if (granted.size === 0) return;
          const after = leases.map((l) => (granted.has(l.leaseId) ? { ...l, state: 'granted' as const } : l));
          assert.ok(availableBytes(view, after) >= 0);
        },
      ),
    );
  });
});

describe('slots', () => {
  test('the first of the queue takes a free slot; one slot, one job', () => {
    const jobs = [job({ jobId: 'a', priority: 'low' }), job({ jobId: 'b', priority: 'high' })];
    const decisions = schedule(snapshot({ jobs }));
    assert.deepEqual(
      decisions.filter((d) => d.type === 'take_slot').map((d) => d.jobId),
      ['b'],
    );
  });

  test('who takes a slot is not told why it waits; the next one is', () => {
    const alone = schedule(snapshot({ jobs: [job()] }));
    assert.deepEqual(
      alone.map((d) => d.type),
      ['take_slot'],
    );
    const both = schedule(snapshot({ jobs: [job(), job({ jobId: 'j2', submittedAtMs: NOW })] }));
    assert.deepEqual(
      both.map((d) => ('jobId' in d ? `${d.type} ${d.jobId}` : d.type)),
      ['take_slot j1', 'explain j2'],
    );
  });

  test('nothing starts while Reactor Core is away, and the queue says so', () => {
    const waiting = job({ jobId: 'w', state: 'waiting_for_memory', leaseId: 'l1', slot: 0 });
    const decisions = schedule(
      snapshot({
        jobs: [job(), waiting],
        leases: [lease({ state: 'granted', holder: 'w' })],
        reactorAway: 'Reactor Core is away',
      }),
    );
    assert.deepEqual(
      decisions.map((d) => d.type),
      ['explain'],
    );
    assert.match(decisions[0]?.type === 'explain' ? decisions[0].reason : '', /away/);
  });

  test('a job with its slot and a granted lease starts', () => {
    const jobs = [job({ state: 'waiting_for_memory', leaseId: 'l1', slot: 0 })];
    assert.deepEqual(
      kinds(snapshot({ jobs, slots: [{ slot: 0, holder: 'j1' }], leases: [lease({ state: 'granted' })] })),
      ['start'],
    );
  });

  test('a job that waits too long for memory goes back to the queue, saying why', () => {
    const jobs = [
      job({ state: 'waiting_for_memory', leaseId: 'l1', slot: 0, waitingSinceMs: NOW - 300_000 }),
    ];
    const decisions = schedule(
      snapshot({
        jobs,
        slots: [{ slot: 0, holder: 'j1' }],
        leases: [lease({ state: 'draining', need: need(60) })],
      }),
    );
    const back = decisions.find((d) => d.type === 'requeue');
    assert.match(back?.type === 'requeue' ? back.reason : '', /waited 300 s for memory: it needs 60\.00 GB/);
  });

  test('while a job waits for memory, one of a higher class takes its slot; an equal one does not', () => {
    const waiting = job({
      jobId: 'w',
      priority: 'high',
      state: 'waiting_for_memory',
      leaseId: 'l1',
      slot: 0,
      waitingSinceMs: NOW,
    });
    const at = (priority: JobView['priority']) =>
      kinds(
        snapshot({
          jobs: [waiting, job({ jobId: 'n', priority })],
          slots: [{ slot: 0, holder: 'w' }],
          leases: [lease({ holder: 'w', state: 'draining', need: need(60) })],
        }),
      );
    assert.deepEqual(at('critical'), ['requeue']);
    assert.deepEqual(at('high'), []);
  });

  test('an aged job of a lower class does not take the slot of one that waits', () => {
    const waiting = job({
      jobId: 'w',
      priority: 'high',
      state: 'waiting_for_memory',
      leaseId: 'l1',
      slot: 0,
      waitingSinceMs: NOW,
    });
    const aged = job({ jobId: 'n', priority: 'high', submittedAtMs: NOW - 2 * HOUR });
    assert.deepEqual(
      kinds(
        snapshot({
          jobs: [waiting, aged],
          slots: [{ slot: 0, holder: 'w' }],
          leases: [lease({ holder: 'w', state: 'draining', need: need(60) })],
        }),
      ),
      [],
    );
  });

  test('a retry waits until its time', () => {
    assert.deepEqual(kinds(snapshot({ jobs: [job({ notBeforeMs: NOW + 1 })] })), []);
    assert.deepEqual(kinds(snapshot({ jobs: [job({ notBeforeMs: NOW })] })), ['take_slot']);
  });

  test('a job to be cancelled neither takes a slot nor starts: it is over', () => {
    const waiting = job({ jobId: 'w', state: 'waiting_for_memory', leaseId: 'l1', cancelRequested: true });
    const training = job({ jobId: 't', state: 'training', cancelRequested: true });
    const decisions = schedule(
      snapshot({
        jobs: [job({ cancelRequested: true }), waiting, training],
        leases: [lease({ state: 'granted', holder: 'w' })],
      }),
    );
    assert.deepEqual(
      decisions.map((d) => (d.type === 'cancel' ? d.jobId : d.type)),
      ['j1', 'w'],
    );
  });

  test('a lease that ran out before its job could start: the job goes back and asks anew', () => {
    const jobs = [job({ state: 'waiting_for_memory', leaseId: 'l1', slot: 0, waitingSinceMs: NOW })];
    const slots = [{ slot: 0, holder: 'j1' }];
    const ranOut = lease({ state: 'granted', expiresAtMs: NOW });
    const away = { reactorAway: 'Reactor Core is away' };
    assert.deepEqual(kinds(snapshot({ jobs, slots, leases: [ranOut], ...away })), [
      'expire_lease',
      'requeue',
    ]);
    const unconfirmed = lease({ state: 'expired_unconfirmed' });
    assert.deepEqual(kinds(snapshot({ jobs, slots, leases: [unconfirmed] })), ['requeue']);
    assert.deepEqual(kinds(snapshot({ jobs, slots, leases: [] })), ['requeue']);
  });

  test('a job that aging has lifted before the first of a higher class keeps its slot: it would only take it again', () => {
    const lifted = job({
      jobId: 'w',
      priority: 'normal',
      state: 'waiting_for_memory',
      leaseId: 'l1',
      slot: 0,
      submittedAtMs: NOW - 2 * HOUR,
      waitingSinceMs: NOW,
    });
    const decide = (waiting: JobView) =>
      kinds(
        snapshot({
          jobs: [waiting, job({ jobId: 'n', priority: 'high' })],
          slots: [{ slot: 0, holder: 'w' }],
          leases: [lease({ holder: 'w', state: 'draining', need: need(60) })],
        }),
      );
    assert.deepEqual(decide(lifted), []);
    assert.deepEqual(decide({ ...lifted, submittedAtMs: NOW - 500 }), ['requeue']);
  });
});

describe('a need that is larger than the whole budget', () => {
  test('a job never takes the slot, says why, and does not keep others from it', () => {
    const jobs = [job({ jobId: 'huge', priority: 'critical', need: need(65) }), job({ jobId: 'small' })];
    const decisions = schedule(snapshot({ jobs }));
    assert.deepEqual(
      decisions.flatMap((d) => (d.type === 'take_slot' ? [d.jobId] : [])),
      ['small'],
    );
    const why = decisions.find((d) => d.type === 'explain' && d.jobId === 'huge');
    assert.match(why?.type === 'explain' ? why.reason : '', /at most 64\.00 GB can ever be given/);
  });

  test('one that holds a slot already goes back at once', () => {
    const waiting = job({ state: 'waiting_for_memory', leaseId: 'l1', waitingSinceMs: NOW, need: need(65) });
    const slots = [{ slot: 0, holder: 'j1' }];
    const decided = kinds(snapshot({ jobs: [waiting], slots, leases: [lease({ need: need(65) })] }));
    assert.ok(decided.includes('requeue'), String(decided));
  });

  test('the lease of another is refused with the reason; one that may fit later waits and says for what', () => {
    const leases = [
      lease({ leaseId: 'never', holder: 'a', need: need(65) }),
      lease({ leaseId: 'later', holder: 'b', need: need(60) }),
    ];
    const decisions = schedule(snapshot({ leases, memory: memory({ prime: null }) }));
    assert.deepEqual(
      decisions.map((d) => d.type),
      ['refuse_lease', 'explain_lease'],
    );
  });
});
