import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { DEPLOYMENT_STATES, mayGo, DEPLOYMENT_LIFECYCLE, STRATEGIES } from '@jarvis/contracts';
import {
  decideRollout,
  observe,
  planSteps,
  readGuards,
  startJudge,
  type JudgeEvidence,
  type JudgeState,
  type RolloutDecision,
  type RolloutLook,
  type StepPlanOptions,
} from '../src/index.ts';

const STEPS = [10, 25, 50, 75, 100];

function judged(...evidence: JudgeEvidence[]): JudgeState {
  return evidence.reduce(observe, startJudge({ alpha: 0.05, failureLimit: 0.05 }));
}
function served(count: number, step = 0): JudgeEvidence {
  return { kind: 'requests', arm: 'candidate', count, step };
}
function errors(count: number, over: Partial<JudgeEvidence> = {}): JudgeEvidence[] {
  const event = { kind: 'corrected', arm: 'candidate', weight: 0.1, firstOfSession: true, ...over };
  return Array.from({ length: count }, () => event as JudgeEvidence);
}
function look(over: Partial<RolloutLook> = {}): RolloutLook {
  return {
    state: 'rolling',
    version: 'v0.1.3',
    steps: STEPS,
    promotion: 'unless_broken',
    stepIndex: 0,
    stepStartedAtMs: 1_000_000,
    nowMs: 1_300_000,
    stepSeconds: 300,
    stepMinRequests: 30,
    judge: judged(served(30)),
    autoRollback: true,
    ...over,
  };
}
const BROKEN_SHARE = judged(served(200), ...errors(20), ...errors(10, { arm: 'stable' }));

test('stays until the step has had its time, whatever the clock does', () => {
  assert.deepEqual(decideRollout(look({ nowMs: 1_299_999 })), { go: 'stay' });
  assert.deepEqual(decideRollout(look({ nowMs: 0 })), { go: 'stay' });
});

test('then advances by one step, and says on what ground', () => {
  assert.deepEqual(decideRollout(look()), {
    go: 'advance',
    toStep: 1,
    reason: 'v0.1.3 served 30 requests at 10 % and no guard is broken: on to 25 %.',
  });
});

test('holds with too few candidate requests of this step, and says how many of how many', () => {
  const judge = judged(served(12, 1), served(500, 0));
  assert.deepEqual(decideRollout(look({ stepIndex: 1, judge })), {
    go: 'hold',
    reason: 'Too little traffic at 25 %: v0.1.3 has served 12 of the 30 requests that this step needs.',
  });
});

test('goes on from holding once enough came', () => {
  assert.equal(decideRollout(look({ state: 'holding', judge: judged(served(29)) })).go, 'hold');
  assert.equal(decideRollout(look({ state: 'holding' })).go, 'advance');
});

test('promotes after the last step', () => {
  assert.deepEqual(decideRollout(look({ stepIndex: 4, judge: judged(served(40, 4)) })), {
    go: 'promote',
    reason: 'v0.1.3 served 40 requests at 100 % and no guard is broken: it is now the champion.',
  });
});

test('a broken error share goes back at once, in a sentence', () => {
  const judge = judged(
    served(100),
    ...errors(20),
    ...errors(7, { weight: 0.25 }),
    ...errors(20, { arm: 'stable', weight: 0.25 }),
  );
  const decision = decideRollout(look({ nowMs: 1_000_000, judge }));
  assert.equal(decision.go, 'roll_back');
  assert.match(
    reasonOf(decision),
    /^Of 47 sessions with an error, 27 had it on v0\.1\.3, which served 10 to 25 % of requests: chance of this or more evidence if it were no worse is at most [\d.e-]+ %\.$/,
  );
});

test('the chance is one over the evidence, rounded up', () => {
  // Five errors of the candidate at 10 %: the evidence is 5279, so the chance is 0.01894 %.
  const decision = decideRollout(look({ judge: judged(served(100), ...errors(5)) }));
  const [share] = readGuards(judged(...errors(5)));
  assert.equal(Math.round(share?.evidence ?? 0), 5279);
  assert.match(
    reasonOf(decision),
    /Of 5 sessions .* 5 had it on v0\.1\.3, which served 10 % .* at most 0\.019 %\.$/,
  );
  const certain = decideRollout(look({ judge: judged(served(1000), ...errors(500)) }));
  assert.match(reasonOf(certain), /at most 0\.01 %\.$/);
});

test('a broken failure limit goes back, with its own sentence', () => {
  const judge = judged(served(120), ...errors(18, { kind: 'failed', weight: 1 }));
  const decision = decideRollout(look({ stepIndex: 4, judge }));
  assert.equal(decision.go, 'roll_back');
  assert.match(
    reasonOf(decision),
    /^18 of 120 requests to v0\.1\.3 failed, over the limit of 5 %: chance of this or more evidence within the limit is at most [\d.]+ %\.$/,
  );
});

test('a candidate that cannot be served goes back, whatever else', () => {
  const judge = judged({ kind: 'broken', arm: 'candidate', detail: 'its digest differs' });
  assert.deepEqual(decideRollout(look({ judge })), {
    go: 'roll_back',
    reason: "v0.1.3 can't be served: its digest differs",
  });
});

test('without automatic rollback a broken guard holds it for a person', () => {
  const decision = decideRollout(look({ judge: BROKEN_SHARE, autoRollback: false }));
  assert.equal(decision.go, 'hold');
  assert.match(
    reasonOf(decision),
    /^Of 30 sessions .* %\. Automatic rollback is off: roll back, or promote it anyway\.$/,
  );
});

test('a step that is not of the plan is a mistake of the program', () => {
  assert.throws(() => decideRollout(look({ stepIndex: 5 })), /the step is one of the plan/);
});

test('at 0 % what counts is what it answered in the shadow', () => {
  const steps = [0, 100];
  const pairs = (count: number, failures = 0): JudgeEvidence => ({
    kind: 'shadowed',
    arm: 'candidate',
    count,
    failures,
    differed: 0,
    step: 0,
  });
  assert.deepEqual(decideRollout(look({ steps, judge: judged(served(500), pairs(30, 1)) })), {
    go: 'hold',
    reason:
      'Too little traffic at 0 %: v0.1.3 has answered in the shadow 29 of the 30 requests that this step needs.',
  });
  assert.deepEqual(decideRollout(look({ steps, judge: judged(pairs(30)) })), {
    go: 'advance',
    toStep: 1,
    reason: 'v0.1.3 answered in the shadow 30 requests at 0 % and no guard is broken: on to 100 %.',
  });
  assert.equal(decideRollout(look({ steps, judge: judged(pairs(60, 30)) })).go, 'roll_back');
});

test('an ab_test is promoted once it is shown to be no worse, by errors or by pairs, and holds until then', () => {
  const test = { steps: [50], promotion: 'when_shown' } as const;
  const healthy = judged(served(500));
  assert.deepEqual(decideRollout(look({ ...test, judge: healthy })), {
    go: 'hold',
    reason:
      'Inconclusive: v0.1.3 served 500 requests at 50 % and no guard is broken, but that v0.1.3 is no worse is not shown ' +
      'yet (evidence 1.0, needs 40). Promote it, abort it, or wait.',
  });
  const even = [...errors(30, { weight: 0.5 }), ...errors(40, { weight: 0.5, arm: 'stable' })];
  assert.match(
    reasonOf(decideRollout(look({ ...test, judge: judged(served(500), ...even) }))),
    /that it errs less than 2 times as often is shown .*: it is now the champion\.$/,
  );
  const pair = { kind: 'pair', wrong: 'stable', served: 'stable', weight: 0.5, asked: true } as const;
  const won = Array.from({ length: 12 }, () => ({ ...pair, firstOfSession: false }));
  assert.match(
    reasonOf(decideRollout(look({ ...test, judge: judged(served(500), ...won) }))),
    /that it is right where the two differ is shown .*: it is now the champion\.$/,
  );
  const twiceAsBad = [...errors(60, { weight: 0.5 }), ...errors(30, { weight: 0.5, arm: 'stable' })];
  assert.notEqual(decideRollout(look({ ...test, judge: judged(served(500), ...twiceAsBad) })).go, 'promote');
});

test('a paused rollout never goes on by itself, but goes back', () => {
  assert.equal(decideRollout(look({ state: 'paused' })).go, 'stay');
  assert.equal(decideRollout(look({ state: 'paused', judge: BROKEN_SHARE })).go, 'roll_back');
  assert.equal(decideRollout(look({ state: 'paused', judge: BROKEN_SHARE, autoRollback: false })).go, 'stay');
});

test('every decision is one that the lifecycle allows, and none goes on against a broken guard', () => {
  const pieces: fc.Arbitrary<JudgeEvidence> = fc.oneof(
    fc.record({
      kind: fc.constant('requests' as const),
      arm: fc.constantFrom('stable' as const, 'candidate' as const),
      count: fc.integer({ min: 1, max: 60 }),
      step: fc.nat({ max: 4 }),
    }),
    fc.record({
      kind: fc.constantFrom('failed' as const, 'slow' as const, 'corrected' as const),
      arm: fc.constantFrom('stable' as const, 'candidate' as const),
      weight: fc.constantFrom(0, 0.1, 0.25, 1),
      firstOfSession: fc.boolean(),
    }),
  );
  const looks = fc.record({
    state: fc.constantFrom(...DEPLOYMENT_STATES),
    stepIndex: fc.nat({ max: 4 }),
    nowMs: fc.integer({ min: 0, max: 3_000_000 }),
    stepSeconds: fc.constantFrom(0, 1, 300),
    stepMinRequests: fc.integer({ min: 1, max: 100 }),
    judge: fc.array(pieces, { maxLength: 30 }).map((list) => judged(...list)),
    autoRollback: fc.boolean(),
  });
  const seen = new Set<string>();
  fc.assert(
    fc.property(looks, (over) => {
      const decision = decideRollout(look(over));
      seen.add(decision.go);
      const anyBroken = readGuards(over.judge).some((guard) => guard.broken);
      const to = {
        stay: over.state,
        hold: 'holding',
        advance: 'rolling',
        promote: 'promoted',
        roll_back: 'rolled_back',
      }[decision.go] as (typeof DEPLOYMENT_STATES)[number];
      assert.ok(to === over.state || mayGo(DEPLOYMENT_LIFECYCLE, over.state, to), `${over.state} -> ${to}`);
      if (decision.go === 'advance') assert.equal(decision.toStep, over.stepIndex + 1);
      if (decision.go === 'advance' || decision.go === 'promote') assert.ok(!anyBroken);
      if (decision.go === 'promote') assert.equal(over.stepIndex, STEPS.length - 1);
      if (decision.go === 'roll_back') assert.ok(anyBroken && over.autoRollback);
      if (decision.go !== 'stay') assert.ok(reasonOf(decision).length > 20);
    }),
    { numRuns: 2000, seed: 5 },
  );
  assert.deepEqual([...seen].sort(), ['advance', 'hold', 'promote', 'roll_back', 'stay']);
});

const PLAN = {
  strategy: 'gradual_rollout',
  steps: STEPS,
  initialPercentage: 10,
  initialIsAsked: false,
  gradual: true,
} as const satisfies StepPlanOptions;
const weightsOf = (over: Partial<StepPlanOptions>): number[] => planSteps({ ...PLAN, ...over }).steps;

test('plans: a gradual rollout starts at its first weight and goes on above it', () => {
  assert.deepEqual(weightsOf({}), STEPS);
  assert.deepEqual(weightsOf({ initialPercentage: 5 }), [5, ...STEPS]);
  assert.deepEqual(weightsOf({ initialPercentage: 30 }), [30, 50, 75, 100]);
  assert.deepEqual(weightsOf({ gradual: false }), [10, 100]);
  assert.deepEqual(weightsOf({ initialPercentage: 100 }), [100]);
});

test('plans: at once, one small step, the shadow first, or even halves until something is shown', () => {
  assert.deepEqual(weightsOf({ strategy: 'immediate' }), [100]);
  assert.deepEqual(weightsOf({ strategy: 'canary', initialPercentage: 3 }), [3, 100]);
  assert.deepEqual(weightsOf({ strategy: 'blue_green' }), [0, 100]);
  const abTest = { ...PLAN, strategy: 'ab_test' } as const;
  assert.deepEqual(planSteps(abTest), { steps: [50], promotion: 'when_shown' });
  assert.deepEqual(planSteps({ ...abTest, initialPercentage: 20, initialIsAsked: true }).steps, [20]);
});

test('a plan rises, and to 100 unless something has to be shown', () => {
  const steps = fc
    .uniqueArray(fc.integer({ min: 1, max: 99 }), { maxLength: 19 })
    .map((list) => [...list.sort((a, b) => a - b), 100]);
  fc.assert(
    fc.property(
      fc.record({
        strategy: fc.constantFrom(...STRATEGIES),
        steps,
        initialPercentage: fc.integer({ min: 1, max: 100 }),
        initialIsAsked: fc.boolean(),
        gradual: fc.boolean(),
      }),
      (options) => {
        const { steps: weights, promotion } = planSteps(options);
        assert.ok(weights.every((weight, i) => i === 0 || weight > (weights[i - 1] ?? 0)));
        assert.equal(promotion, options.strategy === 'ab_test' ? 'when_shown' : 'unless_broken');
        if (promotion === 'unless_broken') assert.equal(weights.at(-1), 100);
        if (options.strategy === 'gradual_rollout') assert.equal(weights[0], options.initialPercentage);
      },
    ),
  );
});

function reasonOf(decision: RolloutDecision): string {
  return decision.go === 'stay' ? '' : decision.reason;
}
