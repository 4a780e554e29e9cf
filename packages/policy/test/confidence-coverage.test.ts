// What the confidence sequence promises, counted over many runs that are looked at after each trial.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rateInterval } from '../src/index.ts';
import { seededRandom } from './simulated-rollout.ts';

test('holds the true rate at every look in 95 % of the runs', () => {
  const random = seededRandom(7);
  const runs = 400;
  for (const rate of [0.05, 0.4]) {
    let lost = 0;
    for (let run = 0; run < runs; run += 1) {
      let successes = 0;
      for (let trials = 1; trials <= 150; trials += 1) {
        if (random() < rate) successes += 1;
        const { lower, upper } = rateInterval({ successes, trials, alpha: 0.05 });
        if (rate < lower || rate > upper) {
          lost += 1;
          break;
        }
      }
    }
    assert.ok(lost / runs <= 0.05, `${lost} of ${runs} at ${rate}`);
  }
});
