// What the demo came to, and that each thing that can go wrong is told.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type DemoSummary, shortcomings } from '../src/demo/summary.ts';

const STEPS = [10, 50, 100];
const promoted = (version: string): DemoSummary['rollouts'][number] => ({
  version,
  verdict: 'promoted',
  steps: STEPS.map((percent) => ({ percent, seconds: 1, requests: 40 })),
});
const job = (job_id: string): DemoSummary['jobs'][number] => ({
  job_id,
  model_type: 'nlu',
  state: 'completed',
});

const GOOD: DemoSummary = {
  accuracy: { before: 0.5, first: 0.6, second: 0.7 },
  versions: ['v0.1.0', 'v0.1.1', 'v0.1.2', 'v0.1.3'],
  rollout_steps: STEPS,
  rollouts: [
    promoted('v0.1.1'),
    promoted('v0.1.2'),
    { version: 'v0.1.3', verdict: 'rolled_back', steps: [{ percent: 10, seconds: 1, requests: 12 }] },
  ],
  rolled_back: { version: 'v0.1.3', reason: 'worse' },
  experiences: { sent: 900, stored: 900 },
  jobs: ['baseline-nlu', 'job-1', 'job-2', 'job-3'].map(job),
  seconds: { start: 1, train: 2, rollout: 3, total: 6 },
};
const EXPECTED = { healthyThirdDay: false, stepMinRequests: 30 };

test('a good demo has no shortcomings', () => {
  assert.deepEqual(shortcomings(GOOD, EXPECTED), []);
});

test('a healthy third day is promoted, too', () => {
  const healthy = { ...EXPECTED, healthyThirdDay: true };
  const third = { ...GOOD, rollouts: [...GOOD.rollouts.slice(0, 2), promoted('v0.1.3')], rolled_back: null };
  assert.deepEqual(shortcomings(third, healthy), []);
  assert.match(shortcomings(GOOD, healthy).join('\n'), /ended as promoted, promoted, rolled_back, not/);
  assert.match(shortcomings(third, EXPECTED).join('\n'), /ended as .*\n.*no reason/);
});

const CASES: readonly {
  readonly name: string;
  readonly change: Partial<DemoSummary>;
  readonly told: RegExp;
}[] = [
  {
    name: 'a day without gain',
    change: { accuracy: { before: 0.5, first: 0.7, second: 0.7 } },
    told: /accuracy did not rise: 0.5, 0.7, 0.7/,
  },
  {
    name: 'a step left out',
    change: { rollout_steps: [10, 25, 50, 100] },
    told: /v0.1.1 went through 10, 50, 100 %, not 10, 25, 50, 100\n.*v0.1.2 went through/,
  },
  {
    name: 'a step that too few saw',
    change: {
      rollouts: [
        { ...promoted('v0.1.1'), steps: STEPS.map((percent) => ({ percent, seconds: 1, requests: 29 })) },
        ...GOOD.rollouts.slice(1),
      ],
    },
    told: /v0.1.1 was seen by 29 requests only at 10 %/,
  },
  {
    name: 'a rollout missing',
    change: { rollouts: GOOD.rollouts.slice(0, 2) },
    told: /ended as promoted, promoted, not/,
  },
  {
    name: 'a rollback without a reason',
    change: { rolled_back: { version: 'v0.1.3', reason: '' } },
    told: /no reason/,
  },
  {
    name: 'an experience lost',
    change: { experiences: { sent: 900, stored: 899 } },
    told: /900 experiences were acknowledged, 899 are stored/,
  },
  {
    name: 'an experience counted twice',
    change: { experiences: { sent: 900, stored: 901 } },
    told: /900 experiences were acknowledged, 901 are stored/,
  },
  {
    name: 'a job too many',
    change: { jobs: [...GOOD.jobs, job('job-4')] },
    told: /there were 5 jobs, not 4/,
  },
  {
    name: 'a job that failed',
    change: { jobs: [...GOOD.jobs.slice(1), { ...job('job-9'), state: 'failed' }] },
    told: /job-9 is failed/,
  },
];

for (const { name, change, told } of CASES)
  test(`a shortcoming is told: ${name}`, () => {
    assert.match(shortcomings({ ...GOOD, ...change }, EXPECTED).join('\n'), told);
  });
