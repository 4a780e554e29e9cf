// The arithmetic of the benches: what the tables say is what was measured.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { reportOf as decisionsReport } from '../decisions/figures.ts';
import { reportOf as experiencesReport } from '../experiences/figures.ts';
import { reportOf as recoveryReport } from '../recovery/figures.ts';
import { BARE, compare, reportOf as servingReport } from '../serving/figures.ts';
import { median } from '../shared/median.ts';
import { spreadInWords, spreadOf } from '../shared/ratios.ts';
import { reportOf as submitReport, summaryOf } from '../submit/figures.ts';

test('the middle of an even number of figures lies between the two in the middle', () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 3, 2]), 2.5);
});

test('a spread tells the middle, the least and the greatest, in this order', () => {
  assert.deepEqual(spreadOf([0.5, 1.005, 0.25]), { median: 0.5, least: 0.25, greatest: 1 });
  assert.equal(spreadInWords([2, 0.5, 1]), '1.00 (0.50 to 2.00)');
  assert.equal(spreadInWords([0.000_612_3, 0.2]), '0.10 (0.00061 to 0.20)');
});

test('decisions: a row for each part and size that was measured, the ratio of each round by itself', () => {
  const rate = { what: 'SQLite', waiting: 1000 } as const;
  const report = decisionsReport(
    [
      { ...rate, round: 0, ours: 10, bare: 20 },
      { ...rate, round: 1, ours: 30, bare: 40 },
      { ...rate, round: 2, ours: 2, bare: 8 },
    ],
    { rounds: 3, windowMs: 5, machine: 'M', postgres: 'P' },
  );
  const rows = report.split('\n').filter((line) => line.includes('1,000 |'));
  assert.deepEqual(rows, [
    '| life of a job on SQLite; the same commits, bare | 1,000 | 0.50 (0.25 to 0.75) | 10.0 | 20.0 |',
  ]);
  assert.match(report, /3 rounds of 5 ms for each\. Postgres: P\. Machine: M\./);
});

test('experiences: a row for each engine and load that was measured', () => {
  const setting = { rounds: 1, windowMs: 5, machine: 'M', postgres: 'not measured' };
  const rate = { engine: 'SQLite', round: 0, ours: 1500, bare: 3000 } as const;
  const report = experiencesReport(
    [
      { ...rate, callers: 16, batch: 1 },
      { ...rate, callers: 1, batch: 1000, ours: 6000 },
    ],
    setting,
  );
  assert.deepEqual(
    report.split('\n').filter((line) => line.startsWith('| SQLite')),
    [
      '| SQLite | one each, 16 callers | 0.50 (0.50 to 0.50) | 1,500 | 3,000 |',
      '| SQLite | 1,000 each, one caller | 2.00 (2.00 to 2.00) | 6,000 | 3,000 |',
    ],
  );
  assert.doesNotMatch(report, /\| Postgres/);
});

test('submit: each step is what passed since the one before', () => {
  const marks = {
    answered: 10,
    frozen: 30,
    fetched: 60,
    accepted: 100,
    spawned: 150,
    claimed: 210,
    started: 280,
  };
  const summary = summaryOf([{ bareMs: 140, oursMs: 280, marks }]);
  assert.deepEqual(
    summary.steps.map((s) => s.ms),
    [10, 20, 30, 40, 50, 60, 70],
  );
  assert.match(submitReport(summary, 'M'), /\| 2\.00 \(2\.00 to 2\.00\) \|/);
});

test('recovery: a row for each that was killed, the ratio by when it answers', () => {
  const killed = { victim: 'j-prime', bareMs: 200 } as const;
  const report = recoveryReport(
    [
      { ...killed, round: 0, answersMs: 400, saidMs: 500 },
      { ...killed, round: 1, answersMs: 800, saidMs: 900 },
    ],
    'M',
  );
  assert.deepEqual(
    report.split('\n').filter((line) => line.startsWith('| J-Prime')),
    ['| J-Prime | 3.00 (2.00 to 4.00) | 600 | 700 | 200 |'],
  );
  assert.match(report, /2 rounds, medians\. Machine: M\./);
});

test('serving: ratios are of one round and one number of connections each, medians of all rounds', () => {
  const sample = (contender: string, round: number, [perSecond, p99Ms]: readonly [number, number]) => ({
    contender,
    connections: 16,
    round,
    perSecond,
    p50Ms: 1,
    p99Ms,
  });
  const samples = [
    sample('J-Prime, its own call', 0, [90, 2]),
    sample(BARE, 0, [100, 1]),
    sample('J-Prime, its own call', 1, [400, 3]),
    sample(BARE, 1, [200, 6]),
    { ...sample('J-Prime, its own call', 0, [7, 7]), connections: 1 },
  ];
  const [row] = compare(samples, 'J-Prime, its own call', BARE);
  assert.deepEqual(
    [row?.throughput, row?.p99],
    [
      [0.9, 2],
      [2, 0.5],
    ],
  );
  const setting = { rounds: 2, windowMs: 5, machine: 'M', missing: ['MLServer'] };
  const report = servingReport(samples, setting).split('\n');
  assert.ok(report.includes('| J-Prime, its own call | 16 | 245 | 1.00 / 2.50 |'));
  assert.ok(
    report.includes(
      '| J-Prime, its own call to bare Fastify | 16 | 1.45 (0.90 to 2.00) | 1.25 (0.50 to 2.00) |',
    ),
  );
  assert.ok(report.includes('Not measured: MLServer.'));
});
