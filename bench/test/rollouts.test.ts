// The parts of the rollout bench: traffic as it is said to be, our judge asked rightly, the others as they are described.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type JudgeState, observe, readGuards, startJudge } from '@jarvis/policy';
import { seededRandom } from '@jarvis/testkit';
import { excessOf, pictureOf, reportOf, shareOf } from '../rollouts/figures.ts';
import { isHigh, mannWhitney } from '../rollouts/mann-whitney.ts';
import { ALPHA, FAILURE_LIMIT, ours, type Verdict } from '../rollouts/ours.ts';
import { judgePairs } from '../rollouts/pairs.ts';
import { windows, zTest } from '../rollouts/rivals.ts';
import { type Row, simulate } from '../rollouts/simulate.ts';
import { joined, simulateInThreads } from '../rollouts/threads.ts';
import {
  type Chance,
  isMet,
  passingTraffic,
  placesOf,
  type Request,
  STEP_REQUESTS,
  STEPS,
  stickyTraffic,
  type Traffic,
  weightOf,
} from '../rollouts/traffic.ts';

const HEALTHY = { stable: 0.02, candidate: 0.02 };
const WORSE = { stable: 0.02, candidate: 0.06 };
const WORST = { stable: 0.02, candidate: 0.2 };

function traffic(rollout: number, rates: { stable: number; candidate: number }, sessions = 100): Traffic {
  return stickyTraffic(placesOf(rollout, sessions), rates, seededRandom(rollout));
}

/** Requests of the candidate alone, or after each one of the stable version: `1` an error. */
function candidateOnly(bits: string, stableBit?: '0' | '1'): Traffic {
  const requests = Array.from(bits).flatMap((bit, i): Request[] => {
    const of = { step: 0, session: i };
    const mine: Request = { ...of, arm: 'candidate', erred: bit === '1' };
    return stableBit === undefined ? [mine] : [{ ...of, arm: 'stable', erred: stableBit === '1' }, mine];
  });
  return { requests, sessions: bits.length };
}

test('traffic: each step has its candidate requests, and a session only ever moves to the candidate', () => {
  for (const sessions of [12, 100]) {
    const rollout = [1, 2, 3, 4, 5].find((r) => isMet(placesOf(r, sessions))) ?? 0;
    const { requests } = traffic(rollout, WORSE, sessions);
    for (const step of STEPS.keys()) {
      const served = requests.filter((r) => r.step === step && r.arm === 'candidate');
      assert.equal(served.length, STEP_REQUESTS);
    }
    const moved = new Set<number>();
    for (const { session, arm } of requests) {
      if (arm === 'candidate') moved.add(session);
      else assert.ok(!moved.has(session), `session ${session} came back`);
    }
  }
});

test('traffic: errors are as frequent as asked for, and in a healthy rollout a session errs alike on either arm', () => {
  const seen = { stable: { n: 0, errors: 0 }, candidate: { n: 0, errors: 0 } };
  for (let rollout = 1; rollout <= 60; rollout += 1)
    for (const { arm, erred, step } of traffic(rollout, { stable: 0.05, candidate: 0.2 }, 600).requests) {
      if (step === STEPS.length - 1) continue;
      seen[arm].n += 1;
      if (erred) seen[arm].errors += 1;
    }
  assert.ok(Math.abs(seen.stable.errors / seen.stable.n - 0.05) < 0.005, JSON.stringify(seen));
  assert.ok(Math.abs(seen.candidate.errors / seen.candidate.n - 0.2) < 0.01, JSON.stringify(seen));
  // The same chance, other places: whoever serves, the same requests are errors.
  const random = (): Chance => seededRandom(3);
  const errorsAt = (place: number): boolean[] =>
    stickyTraffic([place, 0], { stable: 0.3, candidate: 0.3 }, random())
      .requests.slice(0, STEP_REQUESTS)
      .map((r) => r.erred);
  assert.deepEqual(errorsAt(0.99), errorsAt(0));
});

test('traffic: sessions differ: far more of them never err than if all erred alike', () => {
  let [sessions, spotless] = [0, 0];
  for (let rollout = 1; rollout <= 20; rollout += 1) {
    const asked = new Map<number, boolean[]>();
    for (const { session, erred } of traffic(rollout, { stable: 0.2, candidate: 0.2 }).requests)
      asked.set(session, [...(asked.get(session) ?? []), erred]);
    for (const errors of asked.values()) {
      if (errors.length < 15) continue;
      sessions += 1;
      if (!errors.slice(0, 15).includes(true)) spotless += 1;
    }
  }
  // Of 15 requests: .8^15 = 3.5 % if they were alike; 4 / (4 + 15) = 21 % as they are.
  assert.ok(Math.abs(spotless / sessions - 4 / 19) < 0.04, `${spotless} of ${sessions}`);
});

test('traffic: nobody below the first weight, nobody to judge', () => {
  assert.equal(isMet([0.1, 0.5]), false);
  assert.equal(isMet([0.099, 0.5]), true);
  const { rows } = simulate({ rollouts: 40, seed: 1, rates: [HEALTHY], sessions: [12], losses: [] });
  const [row] = rows;
  assert.ok(row !== undefined && row.unmet > 0 && row.unmet < 40, `${row?.unmet}`);
  assert.equal(row.unmet + row.verdicts.failed.length, 40);
});

/** Each request by itself, and a look after each. */
function plainly({ requests, sessions }: Traffic, kind: 'failed' | 'corrected'): Verdict {
  const erred = new Set<number>();
  let judge: JudgeState = startJudge({ alpha: ALPHA, failureLimit: FAILURE_LIMIT });
  for (const { arm, step, session, erred: isError } of requests) {
    assert.ok(session < sessions);
    judge = observe(judge, { kind: 'requests', arm, count: 1, step });
    if (isError) {
      const first = !erred.has(session);
      judge = observe(judge, { kind, arm, weight: weightOf(step), firstOfSession: first });
      erred.add(session);
    }
    if (readGuards(judge).some((guard) => guard.broken)) return judge.requests.candidate;
  }
  return null;
}

test('ours decides just as if it looked after each single request', () => {
  const verdicts = new Set<boolean>();
  for (let rollout = 1; rollout <= 12; rollout += 1) {
    const all = [traffic(rollout, WORSE), passingTraffic(WORST, seededRandom(rollout))];
    for (const seen of all) {
      for (const kind of ['failed', 'corrected'] as const) {
        const verdict = ours(seen, kind);
        assert.equal(verdict, plainly(seen, kind));
        verdicts.add(verdict === null);
      }
    }
  }
  assert.equal(verdicts.size, 2, 'some were rolled back, some were not');
});

test('a worse candidate is rolled back more often, and a much worse one sooner', () => {
  const rates = [HEALTHY, WORSE, WORST];
  const { rows, pairs } = simulate({
    rollouts: 60,
    seed: 1,
    rates,
    sessions: [100],
    losses: [0.5, 0.7, 0.9],
  });
  for (const judge of ['corrected', 'failed', 'alone', 'windows'] as const) {
    const [healthy, worse, worst] = rows.map((row) => shareOf(row.verdicts[judge]));
    assert.ok(healthy && worse && worst);
    assert.ok(healthy.share < worse.share && worse.share < worst.share + 0.02, judge);
    assert.ok((worst.median ?? Infinity) < (worse.median ?? 0), judge);
  }
  for (const judge of ['corrected', 'failed'] as const)
    assert.ok(shareOf(rows[0]?.verdicts[judge] ?? []).share <= ALPHA, judge);
  for (const judge of ['guard', 'alone'] as const) {
    const [even, worse, worst] = pairs.map((row) => shareOf(row.verdicts[judge]));
    assert.ok(even && worse && worst && even.share < worse.share);
    assert.ok((worst.median ?? Infinity) < (worse.median ?? 0), judge);
  }
});

test('the same seed gives the same verdicts, another one others, and threads change nothing', async () => {
  const options = { seed: 5, rates: [WORSE], sessions: [100], losses: [0.7] };
  const whole = simulate({ ...options, rollouts: 8 });
  assert.deepEqual(simulate({ ...options, rollouts: 8 }), whole);
  assert.notDeepEqual(simulate({ ...options, seed: 50, rollouts: 8 }), whole);
  const parts = [simulate({ ...options, rollouts: 3 }), simulate({ ...options, seed: 8, rollouts: 5 })];
  assert.deepEqual(joined(parts), whole);
  const few = { seed: 1, rollouts: 2 };
  assert.deepEqual(await simulateInThreads(few, 2), simulate(few));
});

test('the threshold: three windows of twenty with two errors each, among the last twenty', () => {
  const bad = '11'.padEnd(20, '0');
  const allowed = '1'.padEnd(20, '0');
  assert.equal(windows(candidateOnly(bad + allowed + bad + bad)), 80);
  assert.equal(windows(candidateOnly(allowed.repeat(30))), null);
  assert.equal(windows(candidateOnly(bad + allowed.repeat(17) + bad + bad)), 400);
  assert.equal(windows(candidateOnly(bad + allowed.repeat(18) + bad + bad)), null);
});

test('the z-test: not before thirty of each, then as soon as the difference is 1.645 deviations', () => {
  assert.equal(zTest(candidateOnly('1'.repeat(40), '0')), 30);
  assert.equal(zTest(candidateOnly('1'.repeat(40), '1')), null);
  assert.equal(zTest(candidateOnly('0'.repeat(40), '1')), null);
  // 2 of 30 against none: .0667 / sqrt(.0333 * .9667 * 2/30) = 1.438; 3 of 30: 1.776.
  assert.equal(zTest(candidateOnly('11'.padEnd(30, '0'), '0')), null);
  assert.equal(zTest(candidateOnly('111'.padEnd(30, '0'), '0')), 30);
});

test('Mann-Whitney as Kayenta: high by rank, beyond a quarter of the shift, never with four points', () => {
  // Separated series of five: (12.5 - .5) / sqrt(25/12 * 11) = 2.507; of four: 7.5 / sqrt(12) = 2.165; wanted 2.326.
  assert.equal(isHigh([11, 12, 13, 14, 15], [1, 2, 3, 4, 5]), true);
  assert.equal(isHigh([11, 12, 13, 14], [1, 2, 3, 4]), false);
  assert.equal(isHigh([1, 2, 3, 4, 5], [11, 12, 13, 14, 15]), false);
  // Separated too, but a quarter of the shift, about 5, takes the lowest below two of the others.
  assert.equal(isHigh([5.1, 6, 7, 8, 9], [1, 2, 3, 4, 5]), false);
  // Half of the points are ties at 0: z = (75 - 50 - .5) / 9.96 = 2.46, and yet the shift between them is nought.
  const half = [0, 0, 0, 0, 0, 1, 1, 1, 1, 1];
  const none = half.map(() => 0);
  assert.equal(isHigh(half, none), false);
  assert.equal(
    isHigh(
      none.map(() => 1),
      none,
    ),
    true,
  );
  assert.equal(isHigh(half, half.toReversed()), false);
  assert.equal(isHigh(none, none), false);
  assert.equal(isHigh([], [1]), false);
  assert.equal(mannWhitney(candidateOnly('1'.repeat(100), '0')), 50);
  assert.equal(mannWhitney(candidateOnly('0'.repeat(100), '0')), null);
});

test('pairs: an even loss is seldom enough, and a sign test at every look is often wrong', () => {
  const all = Array.from({ length: 150 }, (_, i) => judgePairs(0.5, seededRandom(i + 1)));
  const [guard, signTest] = [all.map((v) => v.guard), all.map((v) => v.signTest)].map(shareOf);
  assert.ok(guard && guard.share <= ALPHA, `${guard?.share}`);
  assert.ok(signTest && signTest.share > 0.15, `${signTest?.share}`);
  // Nine lost pairs and none won: evidence 102.3, and before that 56.8 with eight, 31.9 with seven, 18.1 with six.
  assert.deepEqual(judgePairs(1, { unit: () => 0 }), {
    guard: 9,
    alone: 7,
    signTest: 10,
    spoken: 19,
    spokenUnweighed: 9,
  });
});

test('the report: shares and medians as they were, and what goes back falsely too often is named', () => {
  assert.deepEqual(shareOf([null, 30, 10, 20]), { share: 0.75, median: 20 });
  assert.deepEqual(shareOf([null]), { share: 0, median: null });
  const verdicts = (list: Verdict[]): Row['verdicts'] => ({
    corrected: list,
    failed: list,
    alone: list,
    windows: list,
    zTest: list,
    mannWhitney: list,
  });
  const row = (rate: number, list: Verdict[]): Row => ({
    rates: { stable: rate, candidate: rate },
    sessions: 600,
    unmet: 0,
    verdicts: verdicts(list),
  });
  assert.deepEqual(excessOf([row(0.02, [null, 7]), row(0.1, [null, 7]), row(0.05, [null, null])]), [
    'corrected, equal, 2 %, 600 sessions: 50.0 %',
    'failed, equal, 2 %, 600 sessions: 50.0 %',
    'corrected, equal, 10 %, 600 sessions: 50.0 %',
  ]);
  const rows = [row(0.02, [null, null]), row(0.1, [7, null])];
  const report = reportOf({ rows, pairs: [] }, { rollouts: 2, seed: 1 });
  assert.match(report, /\| equal, 2 % \| 600 \| 0\.0 % \| 0\.0 % \|/);
  assert.match(report, /\| equal, 10 % \| 600 \| 50\.0 % \(7\) \| 50\.0 % \(7\) \* \|/);
  const picture = pictureOf(rows, 600);
  assert.equal(picture.match(/<rect /g)?.length, 1 + 2 * 5);
  assert.match(picture, /50\.0 % \(7\), rightly/);
});
