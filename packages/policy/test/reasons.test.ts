// Why a rollout goes back, as a person reads it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { startJudge, type JudgeState } from '../src/index.ts';
import { faultOf } from '../src/rollout/reasons.ts';

const HEALTHY = startJudge({ alpha: 0.05, failureLimit: 0.05 });

/** Six sessions with an error, five of them on the candidate, and this much evidence from them. */
function shareBroken(evidence: number, over: Partial<JudgeState> = {}): JudgeState {
  const logWealth = HEALTHY.errorShare.logWealth.map(() => Math.log(evidence));
  return {
    ...HEALTHY,
    errorSessions: { stable: 1, candidate: 5 },
    weights: { least: 0.125, most: 0.125 },
    errorShare: { ...HEALTHY.errorShare, logWealth },
    ...over,
  };
}
const told = (judge: JudgeState): string => faultOf(judge, 'v0.1.3') ?? 'nothing';
const chanceIn = (sentence: string): number => Number(/at most ([\d.e-]+) %\.$/.exec(sentence)?.[1]);

test('nothing speaks against a candidate that nothing was seen of', () => {
  assert.equal(faultOf(HEALTHY, 'v0.1.3'), null);
});

test('what cannot be served comes before what is worse', () => {
  const judge = shareBroken(1000, { broken: 'its digest differs' });
  assert.equal(told(judge), "v0.1.3 can't be served: its digest differs");
});

test('the error share: who had the errors, at which weight, and how likely that is by chance', () => {
  assert.equal(
    told(shareBroken(80)),
    'Of 6 sessions with an error, 5 had it on v0.1.3, which served 12.5 % of requests: chance of this or more ' +
      'evidence if it were no worse is at most 1.3 %.',
  );
});

test('the weights that it went through, to three figures', () => {
  const judge = shareBroken(80, { weights: { least: 0.1, most: 1 / 3 } });
  assert.match(told(judge), /which served 10 to 33\.3 % of requests/);
});

test('where more errors are tolerated, the sentence says how many', () => {
  const { errorShare } = shareBroken(80);
  const judge = shareBroken(80, { errorShare: { ...errorShare, toleratedRiskRatio: 1.5 } });
  assert.match(told(judge), /evidence if it erred at most 1\.5 times as often is at most 1\.3 %/);
});

test('at its threshold a guard breaks, and the chance is its own part of alpha', () => {
  assert.equal(chanceIn(told(shareBroken(50 * (1 + 1e-9)))), 2);
  assert.equal(told(shareBroken(49.9)), 'nothing');
});

test('slow answers, and pairs that the candidate lost, each in its own sentence', () => {
  const { errorShare } = shareBroken(500);
  const slow = { ...HEALTHY, slowSessions: { stable: 2, candidate: 9 }, slowShare: errorShare };
  assert.equal(
    told({ ...slow, weights: { least: 0.1, most: 0.1 } }),
    'Of 11 sessions with a slow answer, 9 had it on v0.1.3, which served 10 % of requests: chance of this or more ' +
      'evidence if it were no worse is at most 0.2 %.',
  );
  const asked = { candidateWrong: 14, stableWrong: 1 };
  const pairs = { ...HEALTHY, paired: { ...HEALTHY.paired, asked } };
  assert.match(
    told(pairs),
    /^Both versions answered the same inputs; of 15 on which just one was right, v0\.1\.3 was wrong on 14: chance of /,
  );
  assert.ok(chanceIn(told(pairs)) <= 1.5);
});

test('the failure limit: how many of how many, and what would be allowed', () => {
  const errors = { ...HEALTHY.errors, failed: { stable: 0, candidate: 18 } };
  const judge = { ...HEALTHY, requests: { stable: 900, candidate: 120 }, errors };
  const sentence = told(judge);
  assert.match(
    sentence,
    /^18 of 120 requests to v0\.1\.3 failed, over the limit of 5 %: chance of this or more evidence within the limit is at most /,
  );
  assert.ok(chanceIn(sentence) <= 1, sentence);
});

test('the chance is rounded up to two figures, never past the guard’s part of alpha, and 0.01 % is the least', () => {
  fc.assert(
    fc.property(fc.double({ min: 50, max: 1e9, noNaN: true }), (evidence) => {
      const shown = chanceIn(told(shareBroken(evidence * (1 + 1e-9))));
      const percent = Math.max(100 / evidence, 0.01);
      assert.ok(shown >= percent * (1 - 1e-6) && shown <= Math.min(2, percent * 1.1), `${shown} ${percent}`);
      assert.equal(Number(shown.toPrecision(2)), shown);
    }),
  );
  assert.equal(chanceIn(told(shareBroken(1e9))), 0.01);
});
