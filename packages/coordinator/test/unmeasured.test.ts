// The memory of an LLM that has just been loaded is given to nobody else, though its lease was given back.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LLM_HOLDER } from '@jarvis/contracts';
import { MemoryStore, STRANGERS_LEASE } from './memory-store.ts';
import { BUDGET_BYTES, measured, World } from './world.ts';

const LLM_BYTES = BUDGET_BYTES - 1;
const JOB_NEED = { ram_bytes: 2, vram_bytes: {} };
const LOOK = { type: 'look' } as const;

/** J-Prime asked for memory for its LLM, got it, and has given the lease back. */
async function loaded(): Promise<World> {
  const world = await new World(new MemoryStore()).wake();
  world.store.leases.set('l', {
    ...STRANGERS_LEASE,
    leaseId: 'l',
    holder: LLM_HOLDER,
    purpose: 'serving',
    state: 'requested',
    need: { host_id: 'h', ram_bytes: LLM_BYTES, vram_bytes: {} },
    expiresAtMs: world.nowMs + 60_000,
    reason: '',
  });
  await world.tell(LOOK);
  const lease = world.store.leases.get('l');
  assert.equal(lease?.state, 'granted');
  world.store.leases.set('l', { ...lease, state: 'released' });
  return world;
}

test('what was measured before its lease went back has not seen it: a training waits for the next', async () => {
  const world = await loaded();
  const jobId = await world.submit({ need: JOB_NEED });
  assert.equal(world.job(jobId).state, 'waiting_for_memory');
  world.nowMs += 1;
  await world.tell(measured());
  assert.equal(world.job(jobId).state, 'starting', 'it was measured, and holds nothing');
});

test('measured, it counts as what it holds', async () => {
  const world = await loaded();
  await world.tell(LOOK);
  world.nowMs += 1;
  await world.tell(measured({ holders: { [LLM_HOLDER]: LLM_BYTES } }));
  const jobId = await world.submit({ need: JOB_NEED });
  assert.equal(world.job(jobId).state, 'waiting_for_memory');
});

test('a clock that was set back keeps it for no longer than till the next measurement', async () => {
  const world = await loaded();
  await world.tell(LOOK);
  world.nowMs -= 50_000;
  await world.tell(LOOK);
  world.nowMs += 1;
  await world.tell(measured());
  const jobId = await world.submit({ need: JOB_NEED });
  assert.equal(world.job(jobId).state, 'starting');
});
