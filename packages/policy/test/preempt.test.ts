import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BYTES_PER_GB, PRIORITY_CLASSES, PRIORITY_RANK } from '@jarvis/contracts';
import * as fc from 'fast-check';
import { type JobView, type LeaseView, schedule, type SchedulingSnapshot } from '../src/index.ts';
import { HOUR, job, kinds, lease, memory, need, NOW, snapshot } from './snapshots.ts';

const victim = (over: Partial<JobView> = {}): JobView =>
  job({
    jobId: 'victim',
    modelType: 'embedding',
    priority: 'low',
    state: 'training',
    slot: 0,
    leaseId: 'lv',
    hasRun: true,
    trainingSinceMs: NOW - 30_000,
    need: need(8),
    ...over,
  });
const leaseOf = (over: Partial<LeaseView> = {}): LeaseView =>
  lease({ leaseId: 'lv', holder: 'victim', state: 'granted', need: need(8), ...over });
const first = (over: Partial<JobView> = {}): JobView =>
  job({ jobId: 'first', priority: 'critical', ...over });

const world = (jobs: readonly JobView[], over: Partial<SchedulingSnapshot> = {}): SchedulingSnapshot =>
  snapshot({ jobs, slots: [{ slot: 0, holder: 'victim' }], leases: [leaseOf()], ...over });
const preempted = (s: SchedulingSnapshot): string[] =>
  schedule(s).flatMap((d) => (d.type === 'preempt' ? [d.jobId] : []));

describe('a training gives way', () => {
  test('to a strictly higher class that has no slot, and says to whom', () => {
    const decisions = schedule(world([victim(), first()]));
    const found = decisions.find((d) => d.type === 'preempt');
    assert.match(found?.type === 'preempt' ? found.reason : '', /nlu job first is critical and waits/);
    assert.deepEqual(preempted(world([victim(), first({ priority: 'low' })])), []);
    assert.deepEqual(preempted(world([victim({ priority: 'critical' }), first()])), []);
  });

  test('not while a slot is free, Reactor Core is away, or memory is not known', () => {
    const free = [
      { slot: 0, holder: 'victim' },
      { slot: 1, holder: null },
    ];
    assert.deepEqual(preempted(world([victim(), first()], { slots: free })), []);
    assert.deepEqual(preempted(world([victim(), first()], { reactorAway: 'away' })), []);
    assert.deepEqual(preempted(world([victim(), first()], { memory: null })), []);
  });

  test('not in its first seconds, and not the fourth time within an hour', () => {
    assert.deepEqual(preempted(world([victim({ trainingSinceMs: NOW - 29_999 }), first()])), []);
    assert.deepEqual(preempted(world([victim({ trainingSinceMs: null }), first()])), []);
    const at = (...agoMs: number[]) => ({ preemptedAtMs: agoMs.map((ago) => NOW - ago) });
    assert.deepEqual(preempted(world([victim(at(1, 2, HOUR - 1)), first()])), []);
    assert.deepEqual(preempted(world([victim(at(1, 2, HOUR)), first()])), ['victim']);
  });

  test('not when it is to be cancelled, or another gives way already', () => {
    assert.deepEqual(preempted(world([victim({ cancelRequested: true }), first()])), []);
    const other = victim({ jobId: 'other', state: 'preempting', slot: 1, leaseId: 'lo' });
    assert.deepEqual(preempted(world([victim(), other, first()])), []);
  });

  test('only if what it holds is enough: what it reserves, or uses, whichever is more', () => {
    const tight = memory({ othersBytes: 40 * BYTES_PER_GB, prime: null });
    assert.deepEqual(preempted(world([victim(), first({ need: need(14) })], { memory: tight })), ['victim']);
    assert.deepEqual(preempted(world([victim(), first({ need: need(15) })], { memory: tight })), []);
    const used = { ...tight, holders: { victim: 12 * BYTES_PER_GB } };
    assert.deepEqual(preempted(world([victim(), first({ need: need(14) })], { memory: used })), ['victim']);
  });

  test('what a third one holds stays held', () => {
    const third = lease({ leaseId: 'l3', holder: 'third', state: 'granted', need: need(30) });
    const s = (gb: number) => world([victim(), first({ need: need(gb) })], { leases: [leaseOf(), third] });
    assert.deepEqual(preempted(s(20)), ['victim']);
    assert.deepEqual(preempted(s(21)), []);
  });

  test('one that has not begun to train has nothing to stop at', () => {
    assert.deepEqual(preempted(world([victim({ state: 'starting' }), first()])), []);
  });

  test('for the first of the queue only: one behind it that needs less does not push in', () => {
    const behind = job({ jobId: 'behind', priority: 'high' });
    assert.deepEqual(preempted(world([victim(), first({ need: need(60) }), behind])), []);
  });

  test('not for one that has its memory already', () => {
    const slots = [
      { slot: 0, holder: 'victim' },
      { slot: 1, holder: 'first' },
    ];
    const ready = first({ state: 'waiting_for_memory', slot: 1, leaseId: 'lf', waitingSinceMs: NOW });
    const leases = [leaseOf(), lease({ leaseId: 'lf', holder: 'first', state: 'granted', need: need(1) })];
    assert.deepEqual(kinds(world([victim(), ready], { slots, leases })), ['start']);
  });

  test('of those that are alike the first by name, whatever their order', () => {
    const slots = [0, 1].map((slot) => ({ slot, holder: `t${slot}` }));
    const [a, b] = [victim({ jobId: 't0', leaseId: 'l0' }), victim({ jobId: 't1', slot: 1, leaseId: 'l1' })];
    const leases = [leaseOf({ leaseId: 'l0', holder: 't0' }), leaseOf({ leaseId: 'l1', holder: 't1' })];
    for (const jobs of [
      [a, b, first()],
      [b, a, first()],
    ])
      assert.deepEqual(preempted(world(jobs, { slots, leases })), ['t0']);
  });

  test('the lowest class first, then the one that loses the least', () => {
    const slots = [0, 1, 2].map((slot) => ({ slot, holder: `t${slot}` }));
    const training = (i: number, over: Partial<JobView>): JobView =>
      victim({ jobId: `t${i}`, slot: i, leaseId: `l${i}`, ...over });
    const jobs = [
      training(0, { priority: 'normal', trainingSinceMs: NOW - 31_000 }),
      training(1, { trainingSinceMs: NOW - 90_000 }),
      training(2, { trainingSinceMs: NOW - 60_000 }),
      first(),
    ];
    const leases = [0, 1, 2].map((i) => leaseOf({ leaseId: `l${i}`, holder: `t${i}` }));
    assert.deepEqual(preempted(world(jobs, { slots, leases })), ['t2']);
  });

  test('to one that has a slot and lacks only its memory', () => {
    const slots = [
      { slot: 0, holder: 'victim' },
      { slot: 1, holder: 'first' },
    ];
    const waits = first({
      state: 'waiting_for_memory',
      slot: 1,
      leaseId: 'lf',
      waitingSinceMs: NOW,
      need: need(50),
    });
    const leases = [leaseOf(), lease({ leaseId: 'lf', holder: 'first', state: 'draining', need: need(50) })];
    assert.deepEqual(preempted(world([victim(), waits], { slots, leases })), ['victim']);
  });

  test('one that aging has lifted before the other keeps its slot: it would only take it again', () => {
    const aged = victim({ submittedAtMs: NOW - 2 * HOUR });
    assert.deepEqual(preempted(world([aged, first({ priority: 'normal' })])), []);
    assert.deepEqual(preempted(world([aged, first({ priority: 'high' })])), ['victim']);
  });

  test('a job that only waits for memory gives its slot back first', () => {
    const slots = [
      { slot: 0, holder: 'victim' },
      { slot: 1, holder: 'w' },
    ];
    const waits = job({
      jobId: 'w',
      priority: 'low',
      state: 'waiting_for_memory',
      slot: 1,
      leaseId: 'lw',
      waitingSinceMs: NOW,
    });
    const leases = [leaseOf(), lease({ leaseId: 'lw', holder: 'w', state: 'draining', need: need(60) })];
    assert.deepEqual(kinds(world([victim(), waits, first()], { slots, leases })), ['requeue']);
  });

  test('whatever waits and trains: never for an equal or lower base class, and one at a time', () => {
    const anyJob = fc.record({
      priority: fc.constantFrom(...PRIORITY_CLASSES),
      submittedAtMs: fc.integer({ min: NOW - 3 * HOUR, max: NOW }),
      trains: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(anyJob, { minLength: 2, maxLength: 8 }), (rows) => {
        const jobs = rows.map((r, i) => {
          const at = { jobId: `j${i}`, priority: r.priority, submittedAtMs: r.submittedAtMs };
          return r.trains ? victim({ ...at, slot: i, leaseId: `l${i}` }) : job(at);
        });
        const training = jobs.filter((j) => j.state === 'training');
        const slots = training.map((j) => ({ slot: j.slot ?? 0, holder: j.jobId }));
        const leases = training.map((j) => leaseOf({ leaseId: j.leaseId ?? '', holder: j.jobId }));
        // Room for all eight: where memory runs short, somebody stops for that, whatever waits.
        const roomy = memory({ budgetBytes: 128 * BYTES_PER_GB });
        const gone = preempted(snapshot({ jobs, slots, leases, memory: roomy }));
        assert.ok(gone.length <= 1);
        const rank = (j: JobView): number => PRIORITY_RANK[j.priority];
        const highest = Math.min(...jobs.filter((j) => j.state === 'queued').map(rank));
        for (const id of gone) assert.ok(highest < rank(jobs.find((j) => j.jobId === id) as JobView));
      }),
    );
  });
});
