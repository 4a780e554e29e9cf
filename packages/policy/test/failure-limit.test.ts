import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { failureLimitEvidence, pairedAccuracyEvidence } from '../src/index.ts';

function evidence(failures: number, requests: number, limit: number): number {
  return failureLimitEvidence({ failures, requests, limit }).evidence;
}
function paired(candidateWrong: number, stableWrong: number): number {
  return pairedAccuracyEvidence({ candidateWrong, stableWrong }).evidence;
}
const limits = fc.double({ min: 0.001, max: 0.999, noNaN: true });
const counts = fc
  .integer({ min: 0, max: 400 })
  .chain((requests) => fc.record({ requests: fc.constant(requests), failures: fc.nat({ max: requests }) }));

test('the failure limit gives the reference values', () => {
  assert.equal(evidence(3, 20, 0.02).toFixed(6), '7.505848');
  assert.equal(evidence(8, 50, 0.05).toFixed(6), '8.478076');
  // Computed with exact fractions from the beta integral.
  assert.equal(evidence(0, 30, 0.05).toFixed(12), '0.032258064516');
  assert.equal(evidence(40, 400, 0.05).toFixed(9), '153.209895342');
  assert.equal(evidence(5, 5, 0.05).toFixed(4), '561403.5000');
});

test('the paired comparison gives the reference values', () => {
  assert.equal(paired(5, 0).toFixed(6), '10.500000');
  assert.equal(paired(6, 0).toFixed(6), '18.142857');
  assert.equal(paired(7, 0).toFixed(6), '31.875000');
  assert.equal(paired(10, 3).toFixed(6), '3.974525');
  assert.equal(paired(12, 8).toFixed(9), '0.640826047');
});

test('where the stable version never lost, the paired comparison has a closed form', () => {
  for (let n = 0; n <= 60; n += 1) {
    const closed = (2 ** (n + 1) - 1) / (n + 1);
    assert.ok(Math.abs(paired(n, 0) / closed - 1) < 1e-12, `n = ${n}`);
  }
});

test('nothing seen is no evidence', () => {
  fc.assert(fc.property(limits, (limit) => assert.ok(Math.abs(evidence(0, 0, limit) - 1) < 1e-12)));
});

test('it is a fair game at the limit: the next request leaves the evidence as it is, on average', () => {
  fc.assert(
    fc.property(counts, limits, ({ failures, requests }, limit) => {
      const log = (k: number): number =>
        failureLimitEvidence({ failures: k, requests: requests + 1, limit }).logEvidence;
      const now = failureLimitEvidence({ failures, requests, limit }).logEvidence;
      const next = limit * Math.exp(log(failures + 1) - now) + (1 - limit) * Math.exp(log(failures) - now);
      assert.ok(Math.abs(next - 1) < 1e-8, `${next}`);
    }),
  );
});

test('it is the likelihood ratio averaged over the rates above the limit', () => {
  fc.assert(
    fc.property(counts, fc.double({ min: 0.02, max: 0.9, noNaN: true }), ({ failures, requests }, limit) => {
      const pointsCount = 20_000;
      let sum = 0;
      const logAt = (p: number): number => failures * Math.log(p) + (requests - failures) * Math.log1p(-p);
      const { logEvidence } = failureLimitEvidence({ failures, requests, limit });
      for (let i = 0; i < pointsCount; i += 1) {
        const p = limit + ((1 - limit) * (i + 0.5)) / pointsCount;
        sum += Math.exp(logAt(p) - logAt(limit) - logEvidence);
      }
      assert.ok(Math.abs(sum / pointsCount - 1) < 1e-3, `${sum / pointsCount}`);
    }),
    { numRuns: 30 },
  );
});

test('more failures are more evidence, more requests with as many failures are less', () => {
  fc.assert(
    fc.property(counts, limits, ({ failures, requests }, limit) => {
      const now = failureLimitEvidence({ failures, requests, limit }).logEvidence;
      const more = { failures: failures + 1, requests: requests + 1, limit };
      const good = { failures, requests: requests + 1, limit };
      assert.ok(failureLimitEvidence(more).logEvidence > now);
      assert.ok(failureLimitEvidence(good).logEvidence < now);
    }),
  );
});

test('large counts stay finite in logarithms', () => {
  // 400 of 1000 at a limit of 10 %: ln E by exact fractions.
  const { logEvidence } = failureLimitEvidence({ failures: 400, requests: 1000, limit: 0.1 });
  assert.ok(Math.abs(logEvidence - 308.094807203111) < 1e-8);
  const huge = failureLimitEvidence({ failures: 500_000, requests: 1_000_000, limit: 0.01 });
  assert.equal(huge.evidence, Infinity);
  assert.ok(Number.isFinite(huge.logEvidence));
  const healthy = failureLimitEvidence({ failures: 10_000, requests: 1_000_000, limit: 0.05 });
  // Rates just above the limit always keep some weight: about 1/n.
  assert.ok(healthy.evidence > 1e-7 && healthy.evidence < 1e-4, `${healthy.evidence}`);
});

test('impossible counts are refused', () => {
  assert.throws(() => evidence(3, 2, 0.1), /failures/);
  assert.throws(() => evidence(0.5, 2, 0.1), /failures/);
  assert.throws(() => evidence(-1, 2, 0.1), /failures/);
  assert.throws(() => evidence(1, 2.5, 0.1), /failures/);
  for (const limit of [-0.1, 0, 1, 1.1])
    assert.throws(() => evidence(1, 2, limit), /a failure limit lies between 0 and 1/);
});
