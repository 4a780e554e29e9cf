import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { rateInterval } from '../src/index.ts';

const counts = fc
  .integer({ min: 1, max: 2000 })
  .chain((trials) => fc.record({ trials: fc.constant(trials), successes: fc.nat({ max: trials }) }));
const alphas = fc.double({ min: 0.001, max: 0.5, noNaN: true });

function shown(successes: number, trials: number): string[] {
  const { lower, upper } = rateInterval({ successes, trials, alpha: 0.05 });
  return [lower.toFixed(6), upper.toFixed(6)];
}

test('gives the reference values', () => {
  assert.deepEqual(shown(0, 10), ['0.000000', '0.416880']);
  assert.deepEqual(shown(5, 50), ['0.015659', '0.287660']);
  assert.deepEqual(shown(50, 100), ['0.344590', '0.655410']);
});

test('told about how many trials there will be, gives the published values of confseq', () => {
  const published = [
    [700, 1000, 100, '0.651629', '0.745949'],
    [15, 50, 50, '0.129556', '0.511896'],
    [5, 50, 50, '0.013021', '0.269264'],
    [1, 50, 50, '0.000000', '0.134890'],
    [1, 2, 50, '0.000000', '1.000000'],
    [100, 200, 1, '0.328923', '0.671076'],
  ] as const;
  for (const [successes, trials, narrowestAt, least, most] of published) {
    const { lower, upper } = rateInterval({ successes, trials, alpha: 0.05, narrowestAt });
    // Six figures were published, of one of them five.
    assert.ok(Math.abs(lower - Number(least)) < 2e-6, `${successes} of ${trials}: ${lower}`);
    assert.ok(Math.abs(upper - Number(most)) < 2e-6, `${successes} of ${trials}: ${upper}`);
  }
});

test('is narrower than without where it was told to be', () => {
  const counts = { successes: 100, trials: 200, alpha: 0.05 };
  const width = ({ lower, upper }: { lower: number; upper: number }): number => upper - lower;
  assert.ok(width(rateInterval({ ...counts, narrowestAt: 200 })) < width(rateInterval(counts)));
  assert.ok(
    width(rateInterval({ ...counts, narrowestAt: 200 })) < width(rateInterval({ ...counts, narrowestAt: 2 })),
  );
});

test('without a success the upper end has a closed form', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5000 }), alphas, (trials, alpha) => {
      const { lower, upper } = rateInterval({ successes: 0, trials, alpha });
      assert.equal(lower, 0);
      assert.ok(Math.abs(upper - (1 - (alpha / (trials + 1)) ** (1 / trials))) < 1e-10);
    }),
  );
});

test('holds the rate seen, mirrors, and widens with confidence', () => {
  fc.assert(
    fc.property(counts, alphas, ({ successes, trials }, alpha) => {
      const { lower, upper } = rateInterval({ successes, trials, alpha });
      const rate = successes / trials;
      assert.ok(0 <= lower && lower <= rate && rate <= upper && upper <= 1);
      const mirror = rateInterval({ successes: trials - successes, trials, alpha });
      assert.ok(Math.abs(mirror.lower - (1 - upper)) < 1e-9);
      const surer = rateInterval({ successes, trials, alpha: alpha / 2 });
      assert.ok(surer.lower <= lower && surer.upper >= upper);
    }),
  );
});

test('before the first trial every rate is possible', () => {
  assert.deepEqual(rateInterval({ successes: 0, trials: 0, alpha: 0.05 }), { lower: 0, upper: 1 });
  assert.throws(() => rateInterval({ successes: 2, trials: 1, alpha: 0.05 }), /trials/);
});

test('what is no count and no alpha is refused', () => {
  const counts = { successes: 0, trials: 1, alpha: 0.05 };
  assert.throws(() => rateInterval({ ...counts, narrowestAt: 0.5 }), /narrowest after a trial/);
  assert.throws(() => rateInterval({ ...counts, alpha: 1 }), /alpha lies between 0 and 1/);
  assert.throws(() => rateInterval({ ...counts, alpha: 0 }), /alpha lies between 0 and 1/);
  for (const wrong of [{ successes: 0.5 }, { trials: 1.5 }, { successes: -1 }, { successes: 2 }])
    assert.throws(() => rateInterval({ ...counts, ...wrong }), /0 <= successes <= trials/);
});

test('the ends are exact where every trial went the same way', () => {
  const none = rateInterval({ successes: 0, trials: 7, alpha: 0.05 });
  const all = rateInterval({ successes: 7, trials: 7, alpha: 0.05 });
  assert.equal(none.lower, 0);
  assert.equal(all.upper, 1);
  assert.ok(Math.abs(all.lower - (0.05 / 8) ** (1 / 7)) < 1e-12);
});
