// What waits for a model is joined; what fails, fails alone.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Prediction } from '@jarvis/model-kinds';
import { ManualClock } from '@jarvis/testkit';
import { Batcher } from '../../src/models/batcher.ts';
import { PREDICTIONS_PER_KIND_MAX } from '../../src/models/limits.ts';
import { ModelCrash } from '../../src/models/model-crash.ts';

type Run = (inputs: readonly Record<string, unknown>[]) => void;

interface Bench {
  readonly batcher: Batcher;
  readonly clock: ManualClock;
  /** The texts of each run, as they began. */
  readonly runs: string[][];
  /** Lets the oldest run go on that is under way. */
  goOn(): void;
}

/** A model that answers with its input once it is let go on. @param run throws to fail */
function bench(run: Run = () => {}, limits = { inputsMax: 4, delayMs: 0 }): Bench {
  const runs: string[][] = [];
  const gates: (() => void)[] = [];
  const clock = new ManualClock();
  const batcher = new Batcher({
    clock,
    limits,
    onRun: () => {},
    run: async (inputs) => {
      runs.push(inputs.map(({ text }) => String(text)));
      await new Promise<void>((resolve) => gates.push(resolve));
      run(inputs);
      return inputs.map((input): Prediction => ({ output: input, confidence: 1 }));
    },
  });
  return { batcher, clock, runs, goOn: () => gates.shift()?.() };
}

const ask = ({ batcher }: Bench, text: string): Promise<string> =>
  batcher.predict({ text }, 'stable').then(
    ({ output }) => String(output['text']),
    (error: unknown) => `failed: ${(error as Error).message}`,
  );
const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

test('a lone input runs at once; those that come meanwhile share the next runs, in order', async () => {
  const it = bench();
  const answers = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((text) => ask(it, text));
  assert.deepEqual(it.runs, [['a']]);
  assert.equal(it.batcher.waiting, 6);
  it.goOn();
  await turn();
  assert.deepEqual(it.runs.slice(1), [['b', 'c', 'd', 'e']]);
  it.goOn();
  await turn();
  assert.deepEqual(it.runs.slice(2), [['f', 'g']]);
  it.goOn();
  assert.deepEqual(await Promise.all(answers), ['a', 'b', 'c', 'd', 'e', 'f', 'g']);
});

test('an input that fails a run fails alone: its neighbours are tried once more, one by one', async () => {
  const it = bench((inputs) => {
    if (inputs.some(({ text }) => text === 'poison')) throw new Error('cannot');
  });
  const answers = ['first', 'b', 'poison', 'c'].map((text) => ask(it, text));
  for (let run = 0; run < 5; run++) {
    it.goOn();
    await turn();
  }
  assert.deepEqual(await Promise.all(answers), ['first', 'b', 'failed: cannot', 'c']);
  assert.deepEqual(it.runs, [['first'], ['b', 'poison', 'c'], ['b'], ['poison'], ['c']]);
});

test('what ran in a thread that crashed is not tried again; what waited is', async () => {
  let runs = 0;
  const it = bench(() => {
    runs += 1;
    if (runs === 2) throw new ModelCrash('gone');
  });
  const answers = ['a', 'b', 'c', 'd', 'e', 'f'].map((text) => ask(it, text));
  for (let run = 0; run < 3; run++) {
    it.goOn();
    await turn();
  }
  assert.deepEqual(it.runs, [['a'], ['b', 'c', 'd', 'e'], ['f']]);
  const gone = 'failed: gone';
  assert.deepEqual(await Promise.all(answers), ['a', gone, gone, gone, gone, 'f']);
});

test('a model that answers with too few fails the run', async () => {
  const batcher = new Batcher({
    clock: new ManualClock(),
    limits: { inputsMax: 4, delayMs: 0 },
    onRun: () => {},
    run: async () => [],
  });
  await assert.rejects(batcher.predict({ text: 'a' }, 'stable'), /answers every input/);
});

test('with a delay the first waits for company, never longer, and not when there is enough of it', async () => {
  const it = bench(() => {}, { inputsMax: 3, delayMs: 10 });
  const first = [ask(it, 'a'), ask(it, 'b')];
  assert.deepEqual(it.runs, []);
  it.clock.advance(10);
  await turn();
  assert.deepEqual(it.runs, [['a', 'b']]);
  it.goOn();
  await Promise.all(first);
  const more = ['c', 'd', 'e'].map((text) => ask(it, text));
  assert.deepEqual(it.runs.slice(1), [['c', 'd', 'e']]);
  it.goOn();
  assert.deepEqual(await Promise.all(more), ['c', 'd', 'e']);
});

test('the queue ends somewhere', () => {
  const it = bench();
  for (let i = 0; i <= PREDICTIONS_PER_KIND_MAX; i++) void ask(it, `${i}`);
  assert.throws(() => it.batcher.predict({ text: 'one more' }, 'stable'), { code: 'overloaded' });
});
