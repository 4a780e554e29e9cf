// When a slot or a lease goes back whose holder is no job of the queue: never on a single word.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Coordinator, type CoordinatorStore, type Run, type Silent, type StoredState } from '../src/index.ts';
import { SCHEDULING } from './options.ts';

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
