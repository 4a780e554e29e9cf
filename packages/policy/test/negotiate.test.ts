// Who of those that ask for memory gets it, under each policy; and who stops for whom.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BYTES_PER_GB, NEGOTIATION_POLICIES, type NegotiationPolicy } from '@jarvis/contracts';
import * as fc from 'fast-check';
import {
  availableBytes,
  type Decision,
  type LeaseView,
  schedule,
  type SchedulingSnapshot,
} from '../src/index.ts';
import { job, kinds, lease, memory, need, NOW, snapshot, told } from './snapshots.ts';

const GB = BYTES_PER_GB;
/** 60 GB can be given. */
const free = memory({ services: [], prime: { heldBytes: 0, idleMs: 0, activeRequests: 0 } });
const serving = (over: Partial<LeaseView> = {}): LeaseView =>
  lease({ leaseId: 's1', holder: 'llm', purpose: 'serving', ...over });
const training = job({
  state: 'training',
  slot: 0,
  leaseId: 'l1',
  trainingSinceMs: NOW,
  priority: 'critical',
  need: need(40),
});
const held = { slots: [{ slot: 0, holder: 'j1' }] };
const under = (policy: NegotiationPolicy, over: Partial<SchedulingSnapshot>): SchedulingSnapshot => {
  const all = snapshot({ memory: free, ...over });
  return { ...all, options: { ...all.options, policy } };
};
const of = (s: SchedulingSnapshot, type: Decision['type']): Decision[] =>
  schedule(s).filter((d) => d.type === type);

describe('both ask, and there is room for one', () => {
  const waits = job({ state: 'waiting_for_memory', slot: 0, leaseId: 'l1', waitingSinceMs: NOW });
  const both = { ...held, jobs: [waits], leases: [lease({ need: need(40) }), serving()] };
  const granted = (policy: NegotiationPolicy): unknown =>
    of(under(policy, both), 'grant_lease').map((d) => 'leaseId' in d && d.leaseId);

  test('J-Prime first under wait and serving_first, the training under training_first', () => {
    assert.deepEqual(granted('wait'), ['s1']);
    assert.deepEqual(granted('serving_first'), ['s1']);
    assert.deepEqual(granted('training_first'), ['l1']);
  });

  test('while nobody may train, J-Prime gets what it asks for under each policy', () => {
    const hold = { reason: 'paused', stopsRunning: true };
    for (const policy of NEGOTIATION_POLICIES) {
      const decisions = schedule(under(policy, { ...both, hold }));
      assert.deepEqual(
        decisions.flatMap((d) => (d.type === 'grant_lease' ? [d.leaseId] : [])),
        ['s1'],
      );
      assert.ok(decisions.some((d) => d.type === 'requeue' && d.reason === 'paused'));
    }
  });
});

describe('who comes first and finds no room', () => {
  const smaller = lease({ leaseId: 'l2', holder: 'own', need: need(30) });
  const larger = serving({ need: need(64) });

  test('keeps what there is from those behind', () => {
    assert.deepEqual(
      of(under('wait', { leases: [smaller, serving({ need: need(61) })] }), 'grant_lease'),
      [],
    );
    const behind = under('training_first', {
      leases: [lease({ need: need(61) }), serving({ need: need(5) })],
    });
    assert.deepEqual(of(behind, 'grant_lease'), []);
  });

  test('keeps nothing when it can never have what it asks for', () => {
    const never = serving({ need: need(65) });
    const decisions = schedule(under('wait', { leases: [smaller, never] }));
    assert.deepEqual(
      decisions.flatMap((d) => ('leaseId' in d ? [[d.type, d.leaseId]] : [])),
      [
        ['refuse_lease', 's1'],
        ['grant_lease', 'l2'],
      ],
    );
  });

  test('a training that comes second keeps nothing from a third', () => {
    const leases = [lease({ need: need(61) }), smaller];
    assert.deepEqual(of(under('wait', { leases }), 'grant_lease').length, 1);
    assert.equal(larger.need.ram_bytes, 64 * GB);
  });
});

describe('J-Prime is in use and large', () => {
  const busy = memory({ prime: { heldBytes: 25 * GB, idleMs: 1, activeRequests: 1 } });

  test('is waited for under wait and serving_first, and not under training_first', () => {
    const asks = { memory: busy, leases: [lease({ need: need(1) })] };
    assert.deepEqual(
      NEGOTIATION_POLICIES.map((policy) => of(under(policy, asks), 'grant_lease').length),
      [0, 0, 1],
    );
  });

  test('is never in its own way, nor asked to make room for itself', () => {
    for (const policy of NEGOTIATION_POLICIES) {
      assert.equal(
        of(under(policy, { memory: busy, leases: [serving({ need: need(1) })] }), 'grant_lease').length,
        1,
      );
      const none = under(policy, { memory: busy, leases: [serving({ need: need(60) })] });
      assert.deepEqual(kinds(none), []);
      assert.equal(of(none, 'explain_lease').length, 1);
    }
  });
});

describe('GPUs', () => {
  const gpu = { totalBytes: 24 * GB, usedBytes: 10 * GB, byHolder: { own: 8 * GB } };
  const devices = { memory: { ...free, devices: { gpu0: gpu } } };
  const asks = (gb: number, device = 'gpu0'): LeaseView =>
    lease({ leaseId: 'l2', holder: 'new', need: { ...need(1), vram_bytes: { [device]: gb * GB } } });

  test('what is used and what is reserved and not used yet is taken off', () => {
    const own = lease({
      holder: 'own',
      state: 'granted',
      need: { ...need(1), vram_bytes: { gpu0: 12 * GB } },
    });
    const granted = (gb: number): number =>
      of(under('wait', { ...devices, leases: [own, asks(gb)] }), 'grant_lease').length;
    assert.deepEqual([granted(10), granted(10.01)], [1, 0]);
  });

  test('more than a GPU has, or one that is not there, can never be given, in words', () => {
    const refused = (l: LeaseView): unknown =>
      of(under('wait', { ...devices, leases: [l] }), 'refuse_lease').map((d) => 'reason' in d && d.reason);
    assert.deepEqual(refused(asks(25)), ['it needs 25.00 GB of the GPU gpu0, which has 24.00 GB']);
    assert.deepEqual(refused(asks(1, 'gpu7')), ['it needs the GPU gpu7, and there is none of that name']);
    assert.deepEqual(refused(asks(24)), []);
  });

  test('too little of it now is waited for, with a sentence', () => {
    const waits = under('wait', {
      ...devices,
      memory: { ...devices.memory, prime: null },
      leases: [asks(20)],
    });
    assert.deepEqual(
      of(waits, 'explain_lease').map((d) => 'reason' in d && d.reason),
      ['it needs 20.00 GB of the GPU gpu0 and 14.00 GB of it can be given'],
    );
  });
});

describe('a request wants a model that is not in memory', () => {
  const granted = lease({ state: 'granted' });
  const wants = { ...held, jobs: [training], leases: [granted, serving({ need: need(30) })] };

  test('only under serving_first it stops the training, whatever its class and however young', () => {
    assert.deepEqual(
      NEGOTIATION_POLICIES.map((policy) => of(under(policy, wants), 'preempt').length),
      [0, 1, 0],
    );
    const [stopped] = of(under('serving_first', wants), 'preempt');
    assert.equal(
      stopped?.type === 'preempt' ? stopped.reason : '',
      'stops at a checkpoint and goes on when J-Prime is idle again: a request needs llm',
    );
  });

  test('one at a time, and none that is to be cancelled or has not begun', () => {
    const more = { ...training, jobId: 'j2', leaseId: 'l2' };
    const two = { ...wants, jobs: [training, more] };
    assert.equal(of(under('serving_first', two), 'preempt').length, 1);
    const stopping = { ...two, jobs: [{ ...training, state: 'preempting' as const }, more] };
    assert.deepEqual(of(under('serving_first', stopping), 'preempt'), []);
    const cancelled = { ...wants, jobs: [{ ...training, cancelRequested: true }] };
    assert.deepEqual(of(under('serving_first', cancelled), 'preempt'), []);
    const starting = { ...wants, jobs: [{ ...training, state: 'starting' as const }] };
    assert.deepEqual(of(under('serving_first', starting), 'preempt'), []);
  });

  test('of several the cheapest that is enough; where none is, the cheapest', () => {
    const small = { ...training, jobId: 'j2', leaseId: 'l2', priority: 'low' as const, need: need(2) };
    const leases = [granted, lease({ leaseId: 'l2', holder: 'j2', state: 'granted', need: need(2) })];
    const two = (gb: number): unknown =>
      of(
        under('serving_first', {
          ...held,
          jobs: [training, small],
          leases: [...leases, serving({ need: need(gb) })],
        }),
        'preempt',
      ).map((d) => 'jobId' in d && d.jobId);
    assert.deepEqual(two(20), ['j2']);
    assert.deepEqual(two(30), ['j1']);
    assert.deepEqual(two(60), ['j2'], 'a step on the way');
  });

  test('a training of somebody else is asked for its memory back, once', () => {
    const others = {
      leases: [lease({ holder: 'own', state: 'granted' as const }), serving({ need: need(30) })],
    };
    assert.deepEqual(kinds(under('serving_first', others)), ['reclaim']);
    const asked = others.leases.map((l) => ({ ...l, reclaimed: l.leaseId === 'l1' }));
    assert.deepEqual(kinds(under('serving_first', { leases: asked })), []);
  });

  test('nobody stops while Reactor Core is away, nor where stopping frees nothing', () => {
    const away = { ...wants, reactorAway: 'away' };
    assert.deepEqual(of(under('serving_first', away), 'preempt'), []);
    const strangers = memory({ othersBytes: 50 * GB, services: [], prime: null });
    const none = { memory: strangers, leases: [serving({ need: need(30) })] };
    assert.deepEqual(kinds(under('serving_first', none)), []);
  });
});

describe('other programs take the memory', () => {
  const grown = (steadyGb: number) =>
    memory({ ...free, othersBytes: 30 * GB, othersSteadyBytes: steadyGb * GB, holders: { j1: 30 * GB } });
  const trains = { ...held, jobs: [training], leases: [lease({ state: 'granted' as const })] };

  test('a training stops when more is taken than there is, in two looks', () => {
    for (const policy of NEGOTIATION_POLICIES) {
      const [stopped] = of(under(policy, { ...trains, memory: grown(30) }), 'preempt');
      assert.match(stopped?.type === 'preempt' ? stopped.reason : '', /memory runs short/);
    }
    assert.deepEqual(of(under('wait', { ...trains, memory: grown(24) }), 'preempt'), []);
    assert.equal(of(under('wait', { ...trains, memory: grown(24.01) }), 'preempt').length, 1);
  });

  test('nothing happens before the first measurement', () => {
    assert.deepEqual(of(under('serving_first', { ...trains, memory: null }), 'preempt'), []);
  });
});

describe('nobody may train', () => {
  const hold = { reason: 'the film is on', stopsRunning: true };

  test('all that train stop, own and other, unless Reactor Core is away', () => {
    const second = { ...training, jobId: 'j2', leaseId: 'l2' };
    const small = { state: 'granted' as const, need: need(1) };
    const all = {
      hold,
      jobs: [training, second],
      leases: [
        lease(small),
        lease({ ...small, leaseId: 'l2', holder: 'j2' }),
        lease({ ...small, leaseId: 'l3', holder: 'own' }),
      ],
      slots: [],
    };
    assert.deepEqual(kinds(under('wait', all)), ['preempt', 'preempt', 'reclaim']);
    assert.deepEqual(kinds(under('wait', { ...all, reactorAway: 'away' })), []);
    const [stopped] = of(under('wait', all), 'preempt');
    assert.equal(stopped?.type === 'preempt' && stopped.reason, 'stops at a checkpoint: the film is on');
    const gentle = { ...all, hold: { ...hold, stopsRunning: false } };
    assert.deepEqual(kinds(under('wait', gentle)), []);
  });

  test('nobody takes a slot or starts; each is told why', () => {
    const waits = under('wait', { hold, jobs: [job()] });
    assert.deepEqual(kinds(waits), []);
    assert.equal(told(waits, 'j1'), 'the film is on');
    const ready = {
      hold,
      ...held,
      jobs: [job({ state: 'waiting_for_memory', slot: 0, leaseId: 'l1', waitingSinceMs: NOW })],
      leases: [lease({ state: 'granted' as const })],
    };
    assert.deepEqual(kinds(under('wait', ready)), ['requeue']);
    const cancelled = { ...ready, jobs: [{ ...(ready.jobs[0] ?? job()), cancelRequested: true }] };
    assert.deepEqual(kinds(under('wait', cancelled)), ['cancel']);
  });
});

test('just woken, nothing expires: its holder could not renew it', () => {
  const over = { leases: [lease({ state: 'granted', expiresAtMs: NOW })], memory: free };
  assert.deepEqual(kinds(snapshot(over)), ['expire_lease']);
  assert.deepEqual(kinds(snapshot({ ...over, justWoke: true })), []);
});

test('whatever asks, under whatever policy: never more is granted than can be given', () => {
  const asking = fc.record({
    gb: fc.integer({ min: 1, max: 70 }),
    purpose: fc.constantFrom<'training' | 'serving'>('training', 'serving'),
    state: fc.constantFrom<LeaseView['state']>('requested', 'draining', 'granted', 'expired_unconfirmed'),
  });
  const policies = fc.constantFrom(...NEGOTIATION_POLICIES);
  fc.assert(
    fc.property(fc.array(asking, { maxLength: 8 }), policies, fc.boolean(), (all, policy, isHeld) => {
      const leases = all.map(({ gb, purpose, state }, i) =>
        lease({ leaseId: `l${i}`, holder: `h${i}`, purpose, state, need: need(gb) }),
      );
      const hold = isHeld ? { reason: 'held', stopsRunning: true } : null;
      const s = under(policy, { leases, hold });
      const granted = of(s, 'grant_lease').flatMap((d) => ('leaseId' in d ? [d.leaseId] : []));
      const after = leases.map((l) =>
        granted.includes(l.leaseId) ? { ...l, state: 'granted' as const } : l,
      );
      if (granted.length > 0) assert.ok(availableBytes(free, after) >= 0);
      if (isHeld)
        assert.ok(granted.every((id) => leases.find((l) => l.leaseId === id)?.purpose === 'serving'));
    }),
  );
});
