// Memory is granted on a measurement of now, whichever way the clock was set.
import { STRANGERS_LEASE } from './memory-store.ts';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { measured, World } from './world.ts';

const DEFAULT_AGE_MS = 60_000;

test('the last measurement can be looked at', async () => {
  const world = new World();
  assert.equal(new World().coordinator.memory, null);
  await world.tell(measured({ othersBytes: 3 }));
  assert.equal(world.coordinator.memory?.othersBytes, 3);
});

for (const [name, ageMs] of [
  ['later', DEFAULT_AGE_MS],
  ['earlier, by a clock that was set back', -DEFAULT_AGE_MS],
] as const) {
  test(`a minute ${name} it still counts, and a moment more it does not`, async () => {
    const world = await new World().wake();
    world.nowMs += ageMs;
    const counts = await world.submit();
    assert.equal(world.job(counts).state, 'starting');
    await world.coordinator.cancel(counts);
    const refused = { reason: 'cancelled', final: false, busy: false, retryAfterMs: 0 };
    await world.tell({ type: 'run_refused', jobId: counts, token: world.token(counts), ...refused });
    world.nowMs += Math.sign(ageMs);
    const waits = await world.submit();
    assert.equal(world.job(waits).state, 'waiting_for_memory');
    assert.match(world.job(waits).reason, /memory has not been measured lately/);
  });
}

test('what is missing is asked of J-Prime, and granted when the measurement shows that it went', async () => {
  const prime = { heldBytes: 9, idleMs: 60_000, activeRequests: 0 };
  const holds = (bytes: number) =>
    measured({
      services: [{ owner: 'j-prime', measuredBytes: bytes }],
      prime: { ...prime, heldBytes: bytes },
    });
  const world = await new World().wake();
  await world.tell(holds(9));
  const id = await world.submit({ need: { ram_bytes: 4, vram_bytes: {} } });
  const lease = world.job(id).leaseId ?? '';
  assert.equal(world.store.leases.get(lease)?.state, 'draining');
  assert.deepEqual(world.work.drain, [lease]);
  await world.tell(holds(7));
  assert.equal(world.job(id).state, 'waiting_for_memory');
  await world.tell(holds(6));
  assert.equal(world.job(id).state, 'starting');
  assert.deepEqual(world.work.drain, []);
});

test('the lease of somebody who is no job is granted, explained or refused as a lease', async () => {
  const world = await new World().wake();
  const need = (ram_bytes: number) => ({ host_id: 'h', ram_bytes, vram_bytes: {} });
  const ask = (leaseId: string, bytes: number): void => {
    const lease = {
      leaseId,
      ...STRANGERS_LEASE,
      holder: leaseId,
      need: need(bytes),
      expiresAtMs: world.nowMs + 1000,
    };
    world.store.leases.set(leaseId, { ...lease, state: 'requested', reason: '' });
  };
  ask('small', 4);
  ask('later', 7);
  ask('never', 11);
  await world.tell({ type: 'look' });
  const states = [...world.store.leases.values()].map((l) => [l.leaseId, l.state]);
  assert.deepEqual(states, [
    ['small', 'granted'],
    ['later', 'requested'],
    ['never', 'refused'],
  ]);
  assert.match(world.store.leases.get('later')?.reason ?? '', /can be given$/);
  assert.match(world.store.leases.get('never')?.reason ?? '', /at most .* can ever be given/);
});

test('a lease whose holder fell silent keeps its memory until that is confirmed', async () => {
  const world = await new World().wake();
  const need = { host_id: 'h', ram_bytes: 10, vram_bytes: {} };
  const silent = {
    leaseId: 'l',
    ...STRANGERS_LEASE,
    holder: 'stranger',
    need,
    expiresAtMs: world.nowMs,
    reason: '',
  };
  world.store.leases.set('l', { ...silent, state: 'granted' });
  const id = await world.submit();
  assert.equal(world.store.leases.get('l')?.state, 'expired_unconfirmed');
  assert.equal(world.job(id).state, 'waiting_for_memory');
  await world.tell({ type: 'runs_observed', runs: [] }, { type: 'runs_observed', runs: [] });
  assert.equal(world.store.leases.get('l')?.state, 'released');
  assert.equal(world.job(id).state, 'starting');
});
