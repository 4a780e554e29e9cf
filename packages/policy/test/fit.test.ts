// How much can be given, to the byte.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BYTES_PER_GB, LEASE_STATES } from '@jarvis/contracts';
import * as fc from 'fast-check';
import { availableBytes, fitLease, isReserving, neverFits } from '../src/index.ts';
import { lease, memory, need, snapshot } from './snapshots.ts';

const GB = BYTES_PER_GB;
const empty = memory({ othersBytes: 0, services: [], prime: null });
const bytes = (ram_bytes: number) => ({ host_id: 'h', ram_bytes, vram_bytes: {} });

test('only a lease that is granted, or expired without a word, keeps memory from others', () => {
  assert.deepEqual(
    LEASE_STATES.filter((state) => isReserving(lease({ state }))),
    ['granted', 'expired_unconfirmed'],
  );
});

test('of a trainer counts what it reserved or uses, whichever is more; two leases of one holder are no sum', () => {
  const holds = (gb: number) => lease({ state: 'granted', need: need(gb) });
  assert.equal(availableBytes(empty, [holds(8)]), 56 * GB);
  assert.equal(availableBytes({ ...empty, holders: { j1: 9 * GB } }, [holds(8)]), 55 * GB);
  assert.equal(availableBytes({ ...empty, holders: { j1: 7 * GB } }, [holds(8)]), 56 * GB);
  assert.equal(availableBytes(empty, [holds(8), { ...holds(5), leaseId: 'l2' }]), 56 * GB);
});

test('everything that is used or kept is taken off, once', () => {
  const amount = fc.nat(1_000_000);
  fc.assert(
    fc.property(amount, amount, fc.array(amount), fc.array(amount), (others, safety, services, trainers) => {
      const view = memory({
        budgetBytes: 10_000_000,
        othersBytes: others,
        safetyBytes: safety,
        services: services.map((measuredBytes, i) => ({ owner: `s${i}`, measuredBytes })),
        holders: Object.fromEntries(trainers.map((used, i) => [`j${i}`, used])),
      });
      const taken = [...services, ...trainers].reduce((a, b) => a + b, others + safety);
      assert.equal(availableBytes(view, []), 10_000_000 - taken);
    }),
  );
});

describe('at the edge', () => {
  test('a need of just the whole budget less safety can be met, a byte more never', () => {
    const safe = memory({ budgetBytes: 100, safetyBytes: 10 });
    assert.equal(neverFits(bytes(90), safe), null);
    assert.notEqual(neverFits(bytes(91), safe), null);
    assert.equal(neverFits(bytes(91), null), null, 'without a measurement nothing is said');
  });

  test('what is left exactly is enough; what is missing is told to the byte', () => {
    const fit = (ram: number) => fitLease(lease({ need: bytes(ram) }), snapshot({ memory: empty }), []);
    assert.deepEqual(fit(64 * GB), { fits: true });
    const missing = fit(64 * GB + 1);
    assert.equal(missing.fits ? 0 : missing.missingBytes, 1);
  });

  test('J-Prime is in the way from the threshold on, until it has been idle for long enough', () => {
    const fits = (heldBytes: number, idleMs: number): boolean => {
      const prime = { heldBytes, idleMs, activeRequests: 0 };
      return fitLease(lease({ need: need(1) }), snapshot({ memory: { ...empty, prime } }), []).fits;
    };
    assert.equal(fits(20 * GB, 59_999), false);
    assert.equal(fits(20 * GB - 1, 59_999), true);
    assert.equal(fits(20 * GB, 60_000), true);
  });

  test('while J-Prime is waited for nothing is missing, so that nothing is asked of it', () => {
    const prime = { heldBytes: 20 * GB, idleMs: 0, activeRequests: 1 };
    const fit = fitLease(lease({ need: need(1) }), snapshot({ memory: { ...empty, prime } }), []);
    assert.equal(fit.fits ? null : fit.missingBytes, 0);
    const unknown = fitLease(lease(), snapshot({ memory: null }), []);
    assert.equal(unknown.fits ? null : unknown.missingBytes, 0);
  });
});
