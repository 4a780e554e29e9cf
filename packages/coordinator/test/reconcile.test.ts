// When a slot or a lease goes back whose holder is no job of the queue: never on a single word.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Coordinator, type CoordinatorStore, type Run, type Silent, type StoredState } from '../src/index.ts';
import { LLM_HOLDER, type LeaseState } from '@jarvis/contracts';
import { MemoryStore, STRANGERS_LEASE } from './memory-store.ts';
import { SCHEDULING } from './options.ts';
import { measured, START_MS, World } from './world.ts';

const TTL_OVER_MS = 100;

function setUp() {
  const released: string[] = [];
  const held: StoredState = {
    jobs: [],
    slots: [{ slot: 0, holder: 'stranger', token: 1, expiresAtMs: TTL_OVER_MS }],
    leases: [],
    breakers: [],
  };
  const store = {
    load: () => Promise.resolve(held),
    releaseSilent: ({ holder }: Silent) => Promise.resolve(void released.push(holder)),
  } as Partial<CoordinatorStore> as CoordinatorStore;
  const coordinator = new Coordinator({
    store,
    performer: { perform: () => undefined },
    now: () => TTL_OVER_MS,
    scheduling: SCHEDULING,
    retries: { resume: true, limit: 1, delayMs: () => 0 },
    onError: (error) => assert.fail(String(error)),
  });
  const observe = async (runs: readonly Run[]): Promise<void> => {
    coordinator.post({ type: 'runs_observed', runs });
    await coordinator.idle();
  };
  return { released, observe };
}
const run = { job_id: 'stranger', state: 'running' } as Run;

test('an answer from before a pause frees nothing: Reactor Core has to say twice that no run is there', async () => {
  const { released, observe } = setUp();
  await observe([]);
  assert.deepEqual(released, []);
  await observe([run]);
  await observe([]);
  assert.deepEqual(released, [], 'it was heard of in between: once again is the first time');
  await observe([]);
  assert.deepEqual(released, ['stranger']);
});

const END_MS = START_MS + 1_000;

/** A coordinator whose clock stands at the end of the time of what strangers hold. */
function strangers(): World {
  const world = new World(new MemoryStore({ slots: 2 }));
  world.nowMs = END_MS;
  return world;
}
const holds = (world: World, slot: number, holder: string, expiresAtMs: number | null = END_MS): void => {
  world.store.slots[slot] = { slot, holder, token: 1, expiresAtMs };
};
const leases = (world: World, state: LeaseState, expiresAtMs: number | null, holder = 'stranger'): void => {
  const need = { host_id: 'h', ram_bytes: 1, vram_bytes: {} };
  world.store.leases.set('l', {
    leaseId: 'l',
    ...STRANGERS_LEASE,
    holder,
    state,
    need,
    expiresAtMs,
    reason: '',
  });
};
const none = { type: 'runs_observed', runs: [] } as const;
const released = (world: World): string[] => world.store.calls.filter((c) => c.startsWith('releaseSilent'));

test('what is given back is said by name: all slots of the holder, and whose word it rests on', async () => {
  const world = strangers();
  holds(world, 0, 'stranger');
  holds(world, 1, 'stranger');
  await world.tell(none, none);
  assert.deepEqual(released(world), [
    'releaseSilent stranger: its time is over and Reactor Core has no such run (training/0, training/1)',
  ]);
});

test('what its holder was given since the first word stays: a new slot, a slot taken again, a new lease', async () => {
  const world = strangers();
  holds(world, 0, 'stranger');
  leases(world, 'expired_unconfirmed', END_MS);
  await world.tell(none);
  holds(world, 1, 'stranger', END_MS + 1);
  world.store.slots[0] = { slot: 0, holder: 'stranger', token: 2, expiresAtMs: END_MS };
  const granted = { leaseId: 'new', state: 'granted' as const, expiresAtMs: END_MS + 1 };
  const before = world.store.leases.get('l');
  assert.ok(before);
  world.store.leases.set('new', { ...before, ...granted });
  await world.tell(none);
  assert.deepEqual(
    world.store.slots.map((s) => s.holder),
    ['stranger', 'stranger'],
  );
  assert.deepEqual(
    [...world.store.leases.values()].map((l) => `${l.leaseId} ${l.state}`),
    ['l released', 'new granted'],
  );
});

test('the lease of the LLM stays until J-Prime says that it does not load: Reactor Core knows nothing of it', async () => {
  const world = strangers();
  leases(world, 'expired_unconfirmed', END_MS, LLM_HOLDER);
  await world.tell(none, none, none);
  const prime = { heldBytes: 0, idleMs: 0, activeRequests: 0 };
  await world.tell(measured({ prime: { ...prime, isLoading: true } }), none, none, none);
  assert.deepEqual(released(world), [], 'first nobody knew, then it loads');
  await world.tell(measured({ prime: { ...prime, isLoading: false } }), none, none);
  assert.equal(released(world).length, 1);
});

test('a slot whose time is not over yet, or has no end, stays with its holder', async () => {
  const world = strangers();
  holds(world, 0, 'stranger', END_MS + 1);
  holds(world, 1, 'other', null);
  await world.tell(none, none, none);
  assert.deepEqual(released(world), []);
});

test('a run that has ended holds nothing; one that is accepted does', async () => {
  const world = strangers();
  holds(world, 0, 'ended');
  holds(world, 1, 'begins');
  const runs = [
    { job_id: 'ended', state: 'completed' },
    { job_id: 'begins', state: 'accepted' },
  ] as Run[];
  const seen = { type: 'runs_observed', runs } as const;
  await world.tell(seen, seen);
  assert.equal(released(world).length, 1);
  assert.match(released(world)[0] ?? '', /ended: .*\(training\/0\)$/);
});

test('a lease that expired unconfirmed goes back, without a word of a slot', async () => {
  const world = strangers();
  leases(world, 'expired_unconfirmed', END_MS + 5_000);
  await world.tell(none, none);
  assert.deepEqual(released(world), [
    'releaseSilent stranger: its time is over and Reactor Core has no such run',
  ]);
});

for (const [name, expiresAtMs, goes] of [
  ['whose time is over goes back', END_MS, true],
  ['that never had a time goes back', null, true],
  ['whose time is not over waits further', END_MS + 1, false],
] as const) {
  test(`a request for memory ${name}`, async () => {
    const world = strangers();
    leases(world, 'requested', expiresAtMs);
    await world.tell(none, none);
    assert.equal(released(world).length, goes ? 1 : 0);
  });
}

test('a request for memory of one who still holds a slot waits further', async () => {
  const world = strangers();
  leases(world, 'requested', END_MS);
  holds(world, 1, 'stranger', END_MS + 1);
  await world.tell(none, none);
  assert.deepEqual(released(world), []);
});

test('a granted lease is not given back before it has expired', async () => {
  const world = strangers();
  leases(world, 'granted', null);
  await world.tell(none, none);
  assert.deepEqual(released(world), []);
});

test('what a job of the queue holds goes back only with the job, whatever Reactor Core says', async () => {
  const world = await new World().wake();
  const id = await world.train();
  world.nowMs += 1_000_000;
  await world.tell(none, none, none);
  assert.deepEqual(released(world), []);
  assert.equal(world.job(id).state, 'training');
});

test('so does what a job waits for', async () => {
  const world = await new World().wake();
  await world.tell(measured({ othersBytes: 10 }));
  const id = await world.submit();
  world.store.slots[0] = { slot: 0, holder: id, token: world.token(id), expiresAtMs: null };
  await world.tell(none, none);
  assert.deepEqual(released(world), []);
});
