// Batches: bounded, in order, nobody left waiting; a queue played through with random arrivals and runs.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { type BatchLimits, inputsPerRun, nextBatch } from '../src/index.ts';

const limitsOf = fc.record({ inputsMax: fc.integer({ min: 1, max: 40 }), delayMs: fc.nat({ max: 20 }) });
/** Milliseconds between two arrivals, and how long each run takes. */
const gapsOf = fc.array(fc.nat({ max: 15 }), { minLength: 1, maxLength: 120 });
const runsOf = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 20 });

interface Run {
  readonly fromMs: number;
  readonly inputs: readonly number[];
}

/** Plays arrivals through the decisions, millisecond by millisecond: when each run began, and with whom. */
function play(arrivalsMs: readonly number[], runMs: readonly number[], limits: BatchLimits): Run[] {
  const runs: Run[] = [];
  let queue: number[] = [];
  let busyUntilMs = 0;
  let taken = 0;
  const endMs = (arrivalsMs.at(-1) ?? 0) + arrivalsMs.length * 50 + limits.delayMs;
  for (let nowMs = 0; nowMs <= endMs; nowMs++) {
    while (arrivalsMs[taken] !== undefined && (arrivalsMs[taken] ?? 0) <= nowMs) queue.push(taken++);
    const oldestMs = arrivalsMs[queue[0] ?? 0] ?? 0;
    const isRunning = nowMs < busyUntilMs;
    const step = nextBatch({ waiting: queue.length, oldestMs, isRunning }, limits, nowMs);
    if (step.kind !== 'run') continue;
    runs.push({ fromMs: nowMs, inputs: queue.slice(0, step.inputs) });
    queue = queue.slice(step.inputs);
    busyUntilMs = nowMs + (runMs[runs.length % runMs.length] ?? 1);
  }
  return runs;
}

const arrivals = (gaps: readonly number[]): number[] => {
  let atMs = 0;
  return gaps.map((gap) => (atMs += gap));
};

test('every input runs once, in the order it came, and no run is over the limit', () => {
  fc.assert(
    fc.property(gapsOf, runsOf, limitsOf, (gaps, runMs, limits) => {
      const runs = play(arrivals(gaps), runMs, limits);
      assert.deepEqual(
        runs.flatMap((run) => run.inputs),
        gaps.map((_, i) => i),
      );
      assert.ok(runs.every((run) => run.inputs.length >= 1 && run.inputs.length <= limits.inputsMax));
    }),
  );
});

test('with an idle model nobody waits longer than the delay, and without a delay not at all', () => {
  fc.assert(
    fc.property(gapsOf, runsOf, limitsOf, (gaps, runMs, limits) => {
      const cameMs = arrivals(gaps);
      const runs = play(cameMs, runMs, limits);
      for (const [i, run] of runs.entries()) {
        const before = runs[i - 1];
        const freeMs = before === undefined ? 0 : before.fromMs + (runMs[i % runMs.length] ?? 1);
        const first = cameMs[run.inputs[0] ?? 0] ?? 0;
        assert.ok(run.fromMs <= Math.max(freeMs, first + limits.delayMs), `run ${i} began at ${run.fromMs}`);
      }
    }),
  );
});

test('a run takes all that wait, up to the limit', () => {
  fc.assert(
    fc.property(fc.nat({ max: 100 }), limitsOf, (waiting, limits) => {
      const nowMs = limits.delayMs;
      const step = nextBatch({ waiting, oldestMs: 0, isRunning: false }, limits, nowMs);
      if (waiting === 0) assert.equal(step.kind, 'rest');
      else assert.deepEqual(step, { kind: 'run', inputs: Math.min(waiting, limits.inputsMax) });
      assert.equal(nextBatch({ waiting, oldestMs: 0, isRunning: true }, limits, nowMs).kind, 'rest');
    }),
  );
});

test('one that waits for company is told how long', () => {
  const limits = { inputsMax: 8, delayMs: 5 };
  const queue = { waiting: 2, oldestMs: 100, isRunning: false };
  assert.deepEqual(nextBatch(queue, limits, 102), { kind: 'wait', forMs: 3 });
  assert.deepEqual(nextBatch(queue, limits, 105), { kind: 'run', inputs: 2 });
  assert.deepEqual(nextBatch({ ...queue, waiting: 9 }, limits, 100), { kind: 'run', inputs: 8 });
});

test('a run is over in time, but never empty', () => {
  const bound = fc.record({
    costMs: fc.double({ min: 0, max: 1000, noNaN: true }),
    runMsMax: fc.double({ min: 0.1, max: 100, noNaN: true }),
    inputsMax: fc.integer({ min: 1, max: 64 }),
  });
  fc.assert(
    fc.property(bound, (b) => {
      const inputs = inputsPerRun(b);
      assert.ok(Number.isInteger(inputs) && inputs >= 1 && inputs <= b.inputsMax);
      assert.ok(inputs === 1 || inputs * b.costMs <= b.runMsMax * (1 + 1e-9));
    }),
  );
  assert.equal(inputsPerRun({ costMs: 0.05, runMsMax: 5, inputsMax: 32 }), 32);
  assert.equal(inputsPerRun({ costMs: 0.5, runMsMax: 5, inputsMax: 32 }), 10);
  assert.equal(inputsPerRun({ costMs: 20, runMsMax: 5, inputsMax: 32 }), 1);
});
