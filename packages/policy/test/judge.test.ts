import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { evidenceSchema, guardReadingSchema } from '@jarvis/contracts';
import {
  ERROR_SESSIONS_MIN,
  errorShareEvidence,
  guardAlpha,
  guardThreshold,
  observe,
  pairsOfStep,
  readGuards,
  requestsOfStep,
  startErrorShare,
  observeErrorShare,
  startJudge,
  type ArmCounts,
  type ErrorEvidence,
  type JudgeEvidence,
  type JudgeState,
} from '../src/index.ts';

const OPTIONS = { alpha: 0.05, failureLimit: 0.05 };
const arms = fc.constantFrom('stable' as const, 'candidate' as const);
const errors = fc.record({
  kind: fc.constantFrom('failed' as const, 'slow' as const, 'corrected' as const),
  arm: arms,
  weight: fc.double({ min: 0, max: 1, noNaN: true }),
  firstOfSession: fc.boolean(),
});
const requests = fc.record({
  kind: fc.constant('requests' as const),
  arm: arms,
  count: fc.integer({ min: 1, max: 500 }),
  step: fc.nat({ max: 4 }),
});
const shadowed = fc
  .record({
    arm: arms,
    count: fc.integer({ min: 1, max: 50 }),
    failed: fc.nat({ max: 50 }),
    step: fc.nat({ max: 4 }),
  })
  .map(({ failed, ...rest }) => ({
    ...rest,
    kind: 'shadowed' as const,
    failures: Math.min(failed, rest.count),
    differed: 0,
  }));
const pairs = fc.record({
  kind: fc.constant('pair' as const),
  wrong: arms,
  served: arms,
  weight: fc.double({ min: 0, max: 1, noNaN: true }),
  asked: fc.boolean(),
  firstOfSession: fc.boolean(),
});
const broken = fc.record({ kind: fc.constant('broken' as const), arm: arms, detail: fc.string() });
const evidences: fc.Arbitrary<JudgeEvidence[]> = fc.array(
  fc.oneof(errors, errors, requests, shadowed, pairs, broken),
  {
    maxLength: 60,
  },
);

function judged(evidence: readonly JudgeEvidence[], options = OPTIONS): JudgeState {
  return evidence.reduce(observe, startJudge(options));
}
function error(over: Partial<ErrorEvidence> = {}): ErrorEvidence {
  return { kind: 'corrected', arm: 'candidate', weight: 0.1, firstOfSession: true, ...over };
}
function repeat<T>(count: number, value: T): T[] {
  return Array.from({ length: count }, () => value);
}
function reading(state: JudgeState, guard: string) {
  return readGuards(state).find((r) => r.guard === guard);
}

test('alpha is shared out over the guards, and no more than alpha', () => {
  assert.equal(guardThreshold('error_share', 0.05), 50);
  assert.equal(guardThreshold('slow_answers', 0.05), 400);
  assert.equal(guardThreshold('paired_accuracy', 0.05).toFixed(3), '57.143');
  assert.equal(guardThreshold('failure_limit', 0.05), 100);
  fc.assert(
    fc.property(fc.double({ min: 0.0001, max: 0.5, noNaN: true }), (alpha) => {
      const guards = ['error_share', 'slow_answers', 'paired_accuracy', 'failure_limit'] as const;
      const spent = guards.reduce((sum, guard) => sum + guardAlpha(guard, alpha), 0);
      assert.ok(Math.abs(spent - alpha) < 1e-12);
      for (const guard of guards) assert.ok(guardThreshold(guard, alpha) * guardAlpha(guard, alpha) > 0.999);
    }),
  );
});

test('takes the evidence of the contract as it is', () => {
  const wire = evidenceSchema.parse({
    evidence_id: 'e1',
    deployment_id: 'd1',
    arm: 'candidate',
    observed_at: '2026-11-24T00:00:00Z',
    kind: 'failed',
    weight: 0.1,
    session_hash: 'abc',
  });
  assert.ok(wire.kind === 'failed');
  const state = observe(startJudge(OPTIONS), { ...wire, firstOfSession: true });
  assert.deepEqual(state.errors.failed, { stable: 0, candidate: 1 });
  assert.deepEqual(state.errorSessions, { stable: 0, candidate: 1 });
});

test('counts requests by arm and step', () => {
  const state = judged([
    { kind: 'requests', arm: 'stable', count: 90, step: 0 },
    { kind: 'requests', arm: 'candidate', count: 10, step: 0 },
    { kind: 'requests', arm: 'candidate', count: 7, step: 1 },
    { kind: 'requests', arm: 'candidate', count: 1, step: 0 },
  ]);
  assert.deepEqual(state.requests, { stable: 90, candidate: 18 });
  assert.deepEqual(requestsOfStep(state, 0), { stable: 90, candidate: 11 });
  assert.deepEqual(requestsOfStep(state, 1), { stable: 0, candidate: 7 });
  assert.deepEqual(requestsOfStep(state, 2), { stable: 0, candidate: 0 });
});

test('the error share takes failed and corrected alike, once for each session; slow answers have a share of their own', () => {
  let expected = startErrorShare({ toleratedRiskRatio: 1 });
  let state = startJudge(OPTIONS);
  for (const kind of ['failed', 'corrected', 'failed'] as const) {
    state = observe(state, error({ kind }));
    state = observe(state, error({ kind, firstOfSession: false }));
    expected = observeErrorShare(expected, { arm: 'candidate', weight: 0.1 });
  }
  assert.equal(reading(state, 'error_share')?.evidence, errorShareEvidence(expected).evidence);
  assert.equal(errorShareEvidence(expected).evidence.toFixed(6), '111.844148');
  assert.equal(reading(state, 'slow_answers')?.evidence, 1);
  const slow = judged(repeat(3, error({ kind: 'slow' })));
  assert.equal(reading(slow, 'slow_answers')?.evidence.toFixed(6), '111.844148');
  assert.equal(reading(slow, 'error_share')?.evidence, 1);
  assert.deepEqual(slow.errors.slow, { stable: 0, candidate: 3 });
});

test('the error share breaks at its threshold, and not with too few sessions', () => {
  const few = judged(repeat(ERROR_SESSIONS_MIN - 1, error()));
  assert.ok((reading(few, 'error_share')?.evidence ?? 0) > 50);
  assert.equal(reading(few, 'error_share')?.broken, false);
  assert.equal(reading(observe(few, error()), 'error_share')?.broken, true);
  const even = judged([
    ...repeat(5, error({ weight: 0.5 })),
    ...repeat(5, error({ arm: 'stable', weight: 0.5 })),
  ]);
  assert.equal(reading(even, 'error_share')?.broken, false);
});

test('a guard is broken at its threshold and above, and not below', () => {
  fc.assert(
    fc.property(evidences, (evidence) => {
      const state = judged(evidence);
      const sum = ({ stable, candidate }: ArmCounts): number => stable + candidate;
      const sessions: Record<string, number> = {
        error_share: sum(state.errorSessions),
        slow_answers: sum(state.slowSessions),
      };
      for (const { guard, evidence, threshold, broken } of readGuards(state)) {
        const enough = (sessions[guard] ?? Infinity) >= ERROR_SESSIONS_MIN;
        assert.equal(broken, enough && evidence >= threshold);
      }
    }),
  );
  // Evidence of 36.5: over 1/alpha, under 1 over the guard's part of alpha.
  const near = judged([...repeat(5, error()), ...repeat(6, error({ arm: 'stable' }))]);
  const evidence = reading(near, 'error_share')?.evidence ?? 0;
  assert.ok(evidence > 20 && evidence < 50, `${evidence}`);
  assert.equal(reading(near, 'error_share')?.broken, false);
});

test('evidence of just the threshold breaks it', () => {
  // A share of alpha whose threshold is 32, and evidence of exactly that: both without a rounding.
  const state = startJudge({ ...OPTIONS, alpha: 5 / 64 });
  const logWealth = state.errorShare.logWealth.map(() => Math.log(32));
  const errorShare = { ...state.errorShare, logWealth };
  const at = { ...state, errorShare, errorSessions: { stable: 0, candidate: ERROR_SESSIONS_MIN } };
  assert.deepEqual(reading(at, 'error_share'), {
    guard: 'error_share',
    evidence: 32,
    threshold: 32,
    broken: true,
  });
});

test('errors at a weight of 0 or 1 leave the error share and its sessions alone', () => {
  const state = judged([error({ weight: 1 }), error({ weight: 0, arm: 'stable' })]);
  assert.deepEqual(state.errorSessions, { stable: 0, candidate: 0 });
  assert.equal(state.weights, null);
});

test('the failure limit counts the failed requests of the candidate only, every one of them', () => {
  const state = judged([
    { kind: 'requests', arm: 'candidate', count: 50, step: 0 },
    ...repeat(4, error({ kind: 'failed' })),
    ...repeat(4, error({ kind: 'failed', firstOfSession: false })),
    ...repeat(20, error({ kind: 'failed', arm: 'stable' })),
    ...repeat(20, error({ kind: 'slow' })),
    ...repeat(20, error({ kind: 'corrected' })),
  ]);
  assert.equal(reading(state, 'failure_limit')?.evidence.toFixed(6), '8.478076');
});

test('what the candidate fails in the shadow counts against the limit; what the stable version fails there does not', () => {
  const shadow = (arm: 'stable' | 'candidate', count: number, failures: number): JudgeEvidence => ({
    kind: 'shadowed',
    arm,
    count,
    failures,
    differed: 2,
    step: 1,
  });
  const state = judged([
    { kind: 'requests', arm: 'candidate', count: 20, step: 0 },
    shadow('candidate', 30, 8),
    shadow('stable', 40, 30),
  ]);
  assert.equal(reading(state, 'failure_limit')?.evidence.toFixed(6), '8.478076');
  assert.deepEqual(state.pairs, { answered: 32, differed: 4 });
  assert.equal(pairsOfStep(state, 1), 32);
  assert.equal(pairsOfStep(state, 0), 0);
});

test('lost pairs break the accuracy guard', () => {
  const lost = {
    kind: 'pair',
    wrong: 'candidate',
    served: 'stable',
    weight: 0.1,
    asked: true,
    firstOfSession: false,
  } as const;
  const [few, enough] = [judged(repeat(7, lost)), judged(repeat(8, lost))];
  assert.equal(reading(few, 'paired_accuracy')?.evidence.toFixed(3), '31.875');
  assert.equal(reading(few, 'paired_accuracy')?.broken, false);
  assert.equal(reading(enough, 'paired_accuracy')?.evidence.toFixed(3), '56.778');
  assert.equal(reading(judged(repeat(9, lost)), 'paired_accuracy')?.broken, true);
});

test('failures heard of before their requests are counted as requests', () => {
  const failed = error({ kind: 'failed', weight: 1 });
  assert.equal(reading(judged(repeat(2, failed)), 'failure_limit')?.broken, true);
  const late = judged([...repeat(2, failed), { kind: 'requests', arm: 'candidate', count: 100, step: 0 }]);
  assert.equal(reading(late, 'failure_limit')?.broken, false);
});

test('the first report that the candidate is broken stays; one of the stable version is not its fault', () => {
  const state = judged([
    { kind: 'broken', arm: 'stable', detail: 'other' },
    { kind: 'broken', arm: 'candidate', detail: 'digest differs' },
    { kind: 'broken', arm: 'candidate', detail: 'again' },
  ]);
  assert.equal(state.broken, 'digest differs');
  assert.equal(judged([{ kind: 'broken', arm: 'stable', detail: 'other' }]).broken, null);
});

test('is plain JSON, also where evidence overflows: stored and read between any two pieces it goes on the same', () => {
  fc.assert(
    fc.property(evidences, (evidence) => {
      const stored = evidence.reduce<JudgeState>(
        (state, piece) => JSON.parse(JSON.stringify(observe(state, piece))),
        startJudge(OPTIONS),
      );
      assert.deepEqual(stored, judged(evidence));
      for (const guard of readGuards(stored)) {
        assert.deepEqual(guardReadingSchema.parse(JSON.parse(JSON.stringify(guard))), guard);
      }
    }),
  );
  const sure = judged(repeat(500, error({ kind: 'failed' })));
  assert.deepEqual(
    readGuards(sure).map((r) => r.evidence),
    [1e12, 1, 1, 1e12],
  );
});

test('what was seen never shrinks, the input is left alone, and later errors of a session change no share', () => {
  fc.assert(
    fc.property(evidences, errors, (evidence, piece) => {
      const state = judged(evidence);
      const before = structuredClone(state);
      const after = observe(state, { ...piece, firstOfSession: false });
      assert.deepEqual(state, before);
      assert.deepEqual(after.errorShare, state.errorShare);
      assert.deepEqual(after.errorSessions, state.errorSessions);
      assert.ok(after.errors.failed.candidate >= state.errors.failed.candidate);
    }),
  );
});

test('the order of the evidence does not matter', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(errors, requests, shadowed, pairs), { maxLength: 40 }), (evidence) => {
      const [forth, back] = [judged(evidence), judged(evidence.toReversed())];
      assert.deepEqual(forth.requests, back.requests);
      assert.deepEqual(forth.errorSessions, back.errorSessions);
      assert.deepEqual(forth.weights, back.weights);
      for (const [i, guard] of readGuards(forth).entries()) {
        const other = readGuards(back)[i]?.evidence ?? Number.NaN;
        assert.ok(Math.abs(guard.evidence - other) <= 1e-6 * guard.evidence);
      }
    }),
  );
});

test('nothing seen breaks nothing; options out of range are refused', () => {
  assert.deepEqual(
    readGuards(startJudge(OPTIONS)).map(({ guard, broken }) => ({ guard, broken })),
    [
      { guard: 'error_share', broken: false },
      { guard: 'slow_answers', broken: false },
      { guard: 'paired_accuracy', broken: false },
      { guard: 'failure_limit', broken: false },
    ],
  );
  for (const out of [-0.1, 0, 1, 1.1]) {
    assert.throws(() => startJudge({ alpha: out, failureLimit: 0.05 }), /alpha lies between 0 and 1/);
    assert.throws(
      () => startJudge({ alpha: 0.05, failureLimit: out }),
      /a failure limit lies between 0 and 1/,
    );
  }
});
