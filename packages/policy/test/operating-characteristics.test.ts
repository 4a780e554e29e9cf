// How often the judge is wrong and how quick it is right, by seeded simulation: every figure is the same in every run.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  errorShareEvidence,
  observeErrorShare,
  pairedAccuracyEvidence,
  startErrorShare,
} from '../src/index.ts';
import { seededRandom, summarise } from './simulated-rollout.ts';

const WEIGHTS = [0.1, 0.25, 0.5, 0.75];
const CANDIDATE_REQUESTS_PER_STEP = 100;
const THRESHOLD_ALONE = 20; // alpha .05, one guard

/** Guard 1 by itself, every request a session of its own. */
function errorShareAlone(stableRate: number, candidateRate: number, runs: number) {
  const random = seededRandom(11);
  const detected: number[] = [];
  for (let run = 0; run < runs; run += 1) {
    const at = firstBreak(random, stableRate, candidateRate);
    if (at !== null) detected.push(at);
  }
  const sorted = detected.toSorted((a, b) => a - b);
  return { share: detected.length / runs, median: sorted[Math.floor(sorted.length / 2)] ?? Number.NaN };
}

function firstBreak(random: () => number, stableRate: number, candidateRate: number): number | null {
  let state = startErrorShare({ toleratedRiskRatio: 1 });
  let served = 0;
  for (const [step, weight] of WEIGHTS.entries()) {
    while (served < (step + 1) * CANDIDATE_REQUESTS_PER_STEP) {
      const arm = random() < weight ? 'candidate' : 'stable';
      if (arm === 'candidate') served += 1;
      if (random() >= (arm === 'candidate' ? candidateRate : stableRate)) continue;
      state = observeErrorShare(state, { arm, weight });
      if (errorShareEvidence(state).evidence >= THRESHOLD_ALONE) return served;
    }
  }
  return null;
}

test('the error share alone rolls back at most 5 % of healthy candidates', () => {
  for (const rate of [0.01, 0.02, 0.05, 0.1]) {
    const { share } = errorShareAlone(rate, rate, 1000);
    assert.ok(share <= 0.05, `${share} at ${rate}`);
  }
});

test('the error share alone detects a worse candidate as quickly as it should', () => {
  const cases = [
    { from: 0.02, to: 0.1, share: 0.99, median: 55 },
    { from: 0.02, to: 0.2, share: 1, median: 20 },
    { from: 0.01, to: 0.5, share: 1, median: 8 },
    { from: 0.02, to: 0.06, share: 0.7, median: 200 },
  ];
  for (const { from, to, share, median } of cases) {
    const seen = errorShareAlone(from, to, 500);
    assert.ok(seen.share >= share && seen.median <= median, `${from} -> ${to}: ${JSON.stringify(seen)}`);
  }
});

test('the paired comparison finds a candidate that loses 70 % of the pairs within about 37, 80 % within 17', () => {
  for (const { losses, median } of [
    { losses: 0.7, median: 42 },
    { losses: 0.8, median: 20 },
  ]) {
    const pairs = pairsUntilBroken(losses, 500).toSorted((a, b) => a - b);
    assert.ok((pairs[250] ?? Infinity) <= median, `${losses}: ${pairs[250]}`);
  }
  const healthy = pairsUntilBroken(0.5, 1000).filter((pairs) => pairs <= 200).length;
  assert.ok(healthy / 1000 <= 0.05, `${healthy}`);
});

function pairsUntilBroken(losses: number, runs: number): number[] {
  const random = seededRandom(13);
  return Array.from({ length: runs }, () => {
    let candidateWrong = 0;
    for (let pairs = 1; pairs <= 200; pairs += 1) {
      if (random() < losses) candidateWrong += 1;
      const { evidence } = pairedAccuracyEvidence({ candidateWrong, stableWrong: pairs - candidateWrong });
      if (evidence >= THRESHOLD_ALONE) return pairs;
    }
    return Infinity;
  });
}

// Few sessions are slow to simulate: a step waits for the one or two that fall below the weight.
const SESSIONS = [
  { sessions: 12, runs: 120 },
  { sessions: 100, runs: 250 },
  { sessions: 600, runs: 100 },
];

for (const { sessions, runs } of SESSIONS) {
  test(`${sessions} sticky sessions, all guards: at most 5 % of healthy candidates go back`, () => {
    for (const [rate, kind] of [
      [0.1, 'corrected'],
      [0.02, 'corrected'],
      [0.02, 'failed'],
    ] as const) {
      for (const spread of [0, 1] as const) {
        const seen = summarise(runs, {
          sessions,
          stableRate: rate,
          candidateRate: rate,
          spread,
          kind,
          failureLimit: 0.05,
        });
        assert.ok(seen.rolledBack <= 0.05, `${rate} ${kind} spread ${spread}: ${JSON.stringify(seen)}`);
      }
    }
  });

  test(`${sessions} sticky sessions: failures that rise from 2 to 20 % are detected`, () => {
    for (const spread of [0, 1] as const) {
      const seen = summarise(runs, {
        sessions,
        stableRate: 0.02,
        candidateRate: 0.2,
        spread,
        kind: 'failed',
        failureLimit: 0.05,
      });
      // With 12 sessions that differ, the one or two that meet the candidate may be among the careful ones.
      const least = sessions === 12 && spread === 1 ? 0.85 : 0.99;
      assert.ok(seen.rolledBack >= least, `spread ${spread}: ${JSON.stringify(seen)}`);
      assert.ok(seen.medianRequests <= 50, `spread ${spread}: ${JSON.stringify(seen)}`);
    }
  });
}

test('600 sticky sessions: corrections that rise from 2 to 20 % are detected', () => {
  const seen = summarise(100, {
    sessions: 600,
    stableRate: 0.02,
    candidateRate: 0.2,
    spread: 1,
    kind: 'corrected',
    failureLimit: 0.05,
  });
  assert.ok(seen.rolledBack >= 0.99 && seen.medianRequests <= 30, JSON.stringify(seen));
});

test('a candidate that errs far less is not taken for a worse one when errors of stable sessions run out', () => {
  const seen = summarise(100, {
    sessions: 100,
    stableRate: 0.2,
    candidateRate: 0.02,
    spread: 1,
    kind: 'corrected',
    failureLimit: 0.5,
    candidateRequestsPerStep: 400,
  });
  assert.ok(seen.rolledBack <= 0.05, JSON.stringify(seen));
});
