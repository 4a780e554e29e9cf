// Each invariant of Reactor Core is broken once, and said in a sentence that names what and how much.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { DEPLOYMENT_LIFECYCLE, DEPLOYMENT_STATES, isTerminal } from '@jarvis/contracts';
import * as fc from 'fast-check';
import { checkReactorInvariants, type DeploymentFacts, type ReactorFacts } from '../src/index.ts';

const OPEN = {
  jobId: 'a',
  outcome: null,
  modelVersion: null,
  versions: [],
  events: 4,
  lastSeq: 4,
  ends: 0,
  endSeq: 0,
} as const satisfies ReactorFacts['jobs'][number];
const COMPLETED = {
  ...OPEN,
  jobId: 'b',
  outcome: 'completed',
  modelVersion: 'v0.2.0',
  versions: ['v0.2.0'],
  ends: 1,
  endSeq: 4,
} as const satisfies ReactorFacts['jobs'][number];
const ROLLING: DeploymentFacts = {
  deploymentId: 'd1',
  kind: 'nlu',
  version: 'v0.2.0',
  state: 'rolling',
  plannedPercents: [1, 10, 50],
  stepIndex: 1,
  history: [
    { percent: 1, isOpen: false },
    { percent: 10, isOpen: true },
  ],
  hasEnded: false,
  wasPromoted: false,
};
const LIVE = { jobId: 'a', slot: 0, token: 7 } as const;

const WELL: ReactorFacts = {
  slotsAllowed: 1,
  liveRuns: [LIVE],
  highestTokens: new Map([[0, 7]]),
  jobs: [OPEN, COMPLETED],
  files: [
    {
      whose: 'the model of v0.2.0',
      wantedBytes: 9,
      wantedSha256: 'aa',
      foundBytes: 9,
      foundSha256: null,
    },
  ],
  promoted: [{ kind: 'nlu', version: 'v0.1.0', isKnown: true }],
  deployments: [ROLLING],
  notes: ['2 files were not read'],
};
const brokenIn = (over: Partial<ReactorFacts>): string[] =>
  checkReactorInvariants({ ...WELL, ...over }).broken.map(
    ({ invariant, message }) => `${invariant}: ${message}`,
  );

test('nothing is broken where all is well; every invariant was looked at, and what was not is noted', () => {
  assert.deepEqual(checkReactorInvariants(WELL), {
    checked: ['I1', 'I4', 'I8', 'deployments'],
    broken: [],
    notes: ['2 files were not read'],
  });
});

test('where there is nothing at all, nothing is broken', () => {
  const none = { liveRuns: [], jobs: [], files: [], promoted: [], deployments: [], notes: [] };
  assert.deepEqual(checkReactorInvariants({ ...WELL, ...none }).broken, []);
});

test('each broken fact is told, in the order of the invariants', () => {
  const [file] = WELL.files;
  assert.ok(file);
  const broken = brokenIn({
    slotsAllowed: 0,
    jobs: [{ ...OPEN, lastSeq: 5 }],
    files: [{ ...file, foundBytes: null }],
    promoted: [{ kind: 'nlu', version: 'v0.1.0', isKnown: false }],
    deployments: [
      { ...ROLLING, hasEnded: true },
      { ...ROLLING, deploymentId: 'd2' },
    ],
  });
  assert.deepEqual(broken, [
    'I1: 1 runs are live (of a), 0 may be',
    'I4: job a has 4 events, the last is number 5',
    'I8: the model of v0.2.0 is not there',
    'I8: nlu v0.1.0 was promoted and is not in the registry',
    'deployments: 2 rollouts of nlu are under way: d1, d2',
    'deployments: d1 is rolling and has a time of its end',
  ]);
});

describe('I1: one trainer', () => {
  const other = { jobId: 'b', slot: 1, token: 3 };
  const highestTokens = new Map([
    [0, 7],
    [1, 3],
  ]);

  test('more runs live than may', () => {
    assert.deepEqual(brokenIn({ liveRuns: [LIVE, other], highestTokens }), [
      'I1: 2 runs are live (of a, b), 1 may be',
    ]);
    assert.deepEqual(brokenIn({ liveRuns: [LIVE, other], highestTokens, slotsAllowed: 2 }), []);
  });

  test('two live runs share a slot', () => {
    assert.deepEqual(brokenIn({ liveRuns: [LIVE, { ...LIVE, jobId: 'b' }], slotsAllowed: 2 }), [
      'I1: 2 live runs share slot 0 (of a, b)',
    ]);
  });

  test('a live run whose token is not the highest that its slot ever had', () => {
    assert.deepEqual(brokenIn({ highestTokens: new Map([[0, 8]]) }), [
      'I1: the live run of a has token 7 of slot 0, whose highest is 8',
    ]);
    assert.deepEqual(brokenIn({ highestTokens: new Map([[0, 6]]) }), [
      'I1: the live run of a has token 7 of slot 0, whose highest is 6',
    ]);
    assert.deepEqual(brokenIn({ highestTokens: new Map([[1, 7]]) }), [
      'I1: the live run of a has token 7 of slot 0, whose highest is 0',
    ]);
  });

  test('each slot has tokens of its own', () => {
    const swapped = new Map([
      [0, 3],
      [1, 7],
    ]);
    const broken = brokenIn({ liveRuns: [LIVE, other], highestTokens: swapped, slotsAllowed: 2 });
    assert.deepEqual(broken, [
      'I1: the live run of a has token 7 of slot 0, whose highest is 3',
      'I1: the live run of b has token 3 of slot 1, whose highest is 7',
    ]);
  });
});

describe('I4: every job ends once, and one that completed has its version and no other', () => {
  const ended = { ends: 1, endSeq: 4 } as const;

  test('a version that is missing, wrong, one too many, or of a job that did not complete', () => {
    const cases: readonly (readonly [ReactorFacts['jobs'][number], string])[] = [
      [{ ...COMPLETED, versions: [] }, 'job b is completed and has no version, which should be v0.2.0'],
      [{ ...COMPLETED, versions: ['v9.0.0'] }, 'job b is completed and has v9.0.0, which should be v0.2.0'],
      [
        { ...COMPLETED, versions: ['v0.2.0', 'v9.0.0'] },
        'job b is completed and has v0.2.0, v9.0.0, which should be v0.2.0',
      ],
      [{ ...COMPLETED, modelVersion: null }, 'job b is completed and has v0.2.0'],
      [{ ...COMPLETED, modelVersion: null, versions: [] }, 'job b is completed and has no version'],
      [{ ...OPEN, versions: ['v0.2.0'] }, 'job a is open and has v0.2.0'],
      [{ ...OPEN, ...ended, outcome: 'failed', versions: ['v0.2.0'] }, 'job a is failed and has v0.2.0'],
    ];
    for (const [job, message] of cases) assert.deepEqual(brokenIn({ jobs: [job] }), [`I4: ${message}`]);
  });

  test('the events of a job have a gap, or tell its end although it goes on, or not although it is over', () => {
    const cases: readonly (readonly [ReactorFacts['jobs'][number], string])[] = [
      [{ ...OPEN, lastSeq: 5 }, 'job a has 4 events, the last is number 5'],
      [{ ...OPEN, ...ended }, 'job a is open and was told to end 1 times'],
      [{ ...OPEN, outcome: 'failed' }, 'job a is failed and was told to end 0 times'],
      [{ ...COMPLETED, ends: 0 }, 'job b is completed and was told to end 0 times'],
      [{ ...COMPLETED, endSeq: 3 }, 'job b ended with event 3, and event 4 came after it'],
    ];
    for (const [job, message] of cases) assert.deepEqual(brokenIn({ jobs: [job] }), [`I4: ${message}`]);
  });

  test('events and version may be wrong at once: both are said', () => {
    assert.deepEqual(brokenIn({ jobs: [{ ...COMPLETED, ends: 2, versions: [] }] }), [
      'I4: job b is completed and was told to end 2 times',
      'I4: job b is completed and has no version, which should be v0.2.0',
    ]);
  });

  test('a job that ended without completing, and has no version, is sound', () => {
    assert.deepEqual(brokenIn({ jobs: [{ ...OPEN, ...ended, outcome: 'cancelled' }] }), []);
    assert.deepEqual(
      brokenIn({ jobs: [{ ...OPEN, ...ended, outcome: 'failed', modelVersion: 'v0.2.0' }] }),
      [],
    );
  });
});

test('I8: only what was promoted and is unknown is named', () => {
  const promoted = [
    { kind: 'nlu', version: 'v0.1.0', isKnown: true },
    { kind: 'asr', version: 'v0.3.0', isKnown: false },
  ];
  assert.deepEqual(brokenIn({ promoted }), ['I8: asr v0.3.0 was promoted and is not in the registry']);
});

describe('deployments', () => {
  const messages = (over: Partial<DeploymentFacts>): string[] =>
    brokenIn({ deployments: [{ ...ROLLING, ...over }] });
  const closed = ROLLING.history.map(({ percent }) => ({ percent, isOpen: false }));

  test('two rollouts of one kind under way, whatever each of them does just now', () => {
    const under = ['rolling', 'holding', 'paused'] as const;
    for (const [i, state] of under.entries()) {
      const second = { ...ROLLING, deploymentId: 'd2', state };
      const first = { ...ROLLING, state: under[(i + 1) % under.length] ?? 'rolling' };
      assert.deepEqual(brokenIn({ deployments: [first, second] }), [
        'deployments: 2 rollouts of nlu are under way: d1, d2',
      ]);
    }
  });

  test('one of each kind, one before its gate and one that is over do not collide', () => {
    const over = { ...ROLLING, state: 'rolled_back', history: closed, hasEnded: true } as const;
    const gating = { ...ROLLING, state: 'gating', stepIndex: 0, history: [] } as const;
    const deployments = [ROLLING, { ...ROLLING, kind: 'asr' }, over, gating];
    assert.deepEqual(brokenIn({ deployments }), []);
  });

  test('without a step: sound only where no traffic has to flow', () => {
    const silent = { stepIndex: 0, history: [], wasPromoted: true };
    for (const state of DEPLOYMENT_STATES) {
      const withTraffic = ['rolling', 'holding', 'paused'].includes(state);
      const hasEnded = isTerminal(DEPLOYMENT_LIFECYCLE, state);
      const wanted = withTraffic ? [`deployments: d1 is ${state} and has no step`] : [];
      assert.deepEqual(messages({ ...silent, state, hasEnded }), wanted);
    }
  });

  test('its steps are those of its plan, in their order, up to the one where it is', () => {
    const went = (...percents: number[]): DeploymentFacts['history'] =>
      percents.map((percent, i) => ({ percent, isOpen: i === percents.length - 1 }));
    const cases: readonly (readonly [Partial<DeploymentFacts>, string])[] = [
      [{ history: went(1, 50) }, 'went 1, 50 %, and its plan up to here is 1, 10 %'],
      [{ history: went(10, 1) }, 'went 10, 1 %, and its plan up to here is 1, 10 %'],
      [{ history: went(1) }, 'went 1 %, and its plan up to here is 1, 10 %'],
      [{ history: went(1, 10, 50) }, 'went 1, 10, 50 %, and its plan up to here is 1, 10 %'],
      [{ stepIndex: 0 }, 'went 1, 10 %, and its plan up to here is 1 %'],
      [{ plannedPercents: [11, 0, 50] }, 'went 1, 10 %, and its plan up to here is 11, 0 %'],
    ];
    for (const [over, what] of cases)
      assert.deepEqual(messages(over), [`deployments: d1 is rolling and ${what}`]);
    assert.deepEqual(messages({ stepIndex: 2, history: went(1, 10, 50) }), []);
    assert.deepEqual(messages({ stepIndex: 0, history: went(1) }), []);
  });

  test('one step is open while it goes on, and none when it is over', () => {
    assert.deepEqual(messages({ history: closed }), ['deployments: d1 is rolling and has 0 open steps']);
    const open = closed.map(({ percent }) => ({ percent, isOpen: true }));
    assert.deepEqual(messages({ history: open }), ['deployments: d1 is rolling and has 2 open steps']);
    assert.deepEqual(messages({ state: 'rolled_back', hasEnded: true }), [
      'deployments: d1 is rolled_back and has 1 open steps',
    ]);
  });

  test('it has a time of its end when it is over, and only then', () => {
    assert.deepEqual(messages({ hasEnded: true }), ['deployments: d1 is rolling and has a time of its end']);
    assert.deepEqual(messages({ state: 'aborted', history: closed }), [
      'deployments: d1 is aborted and has no time of its end',
    ]);
  });

  test('promoted without a promotion', () => {
    const promoted = { state: 'promoted', history: closed, hasEnded: true } as const;
    assert.deepEqual(messages({ ...promoted, wasPromoted: true }), []);
    assert.deepEqual(messages(promoted), [
      'deployments: d1 is promoted and promoted v0.2.0, of which there is no promotion',
    ]);
  });

  test('several problems of one deployment are said one by one', () => {
    assert.deepEqual(messages({ state: 'promoted', stepIndex: 0 }), [
      'deployments: d1 is promoted and went 1, 10 %, and its plan up to here is 1 %',
      'deployments: d1 is promoted and has 1 open steps',
      'deployments: d1 is promoted and has no time of its end',
      'deployments: d1 is promoted and promoted v0.2.0, of which there is no promotion',
    ]);
  });

  test('whatever its state, plan and step, a true story breaks nothing', () => {
    const plan = fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(fc.constantFrom(...DEPLOYMENT_STATES), plan, fc.nat(), (state, plannedPercents, n) => {
        const isOver = isTerminal(DEPLOYMENT_LIFECYCLE, state);
        const stepIndex = n % plannedPercents.length;
        const history = plannedPercents
          .slice(0, stepIndex + 1)
          .map((percent, i) => ({ percent, isOpen: i === stepIndex && !isOver }));
        const story = {
          state,
          plannedPercents,
          stepIndex,
          hasEnded: isOver,
          wasPromoted: state === 'promoted',
        };
        assert.deepEqual(messages({ ...story, history }), []);
      }),
    );
  });
});
