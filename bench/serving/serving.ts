// What J-Prime answers under load, beside a bare server of the same model, MLServer and Ray Serve, all in one run.
//   npm run bench:serving [-- --rounds N] [-- --window MS] [-- --connections 1,16,64] [-- --without-rivals] [-- --save] [-- --json]
// The rivals are measured where `npm run setup:bench-serving` has installed them.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { loadModel } from '@jarvis/model-kinds';
import { end } from '../shared/children.ts';
import { OUTPUT_OPTIONS, tell } from '../shared/output.ts';
import { describeSurroundings } from '../shared/surroundings.ts';
import { type BenchModel, haveRivals, trainedModel } from './cache.ts';
import {
  type Contender,
  encoderOf,
  startBare,
  startMlServer,
  startPrime,
  startRayServe,
} from './contenders.ts';
import { BARE, CEILING, reportOf, type Sample } from './figures.ts';
import type { LoadOrder, LoadResult } from './load.ts';

const CLIENT = fileURLToPath(new URL('load.ts', import.meta.url));
const BODIES = 500;
/** Code that is not compiled yet, and sockets that are not there yet, are nobody's fault. */
const WARM_MS = 5_000;

interface Plan {
  readonly rounds: number;
  readonly windowMs: number;
  readonly connections: readonly number[];
}

async function order(client: ChildProcess, load: LoadOrder): Promise<LoadResult> {
  const answer = once(client, 'message', { signal: AbortSignal.timeout(load.windowMs + 60_000) });
  client.send(load);
  const [result] = (await answer) as [LoadResult];
  if (result.failures > 0) throw new Error(`${load.url}${load.path} failed ${result.failures} requests`);
  return result;
}

/** Each answers what the model answers: nobody is measured for something else. */
async function checkAnswers(contenders: readonly Contender[], { dir, texts }: BenchModel): Promise<void> {
  const model = await loadModel(dir);
  for (const text of texts.slice(0, 20)) {
    const [wanted] = await model.predict([{ text }]);
    for (const { name, url, path, bodyOf, intentOf } of contenders) {
      const headers = { 'content-type': 'application/json' };
      const answer = await fetch(url + path, { method: 'POST', headers, body: bodyOf(text) });
      const intent = intentOf(await answer.json());
      if (intent !== wanted?.output['intent'])
        throw new Error(
          `${name} answers ${String(intent)} to "${text}", not ${String(wanted?.output['intent'])}`,
        );
    }
  }
  await model.dispose();
}

async function measure(
  contenders: readonly Contender[],
  texts: readonly string[],
  { rounds, windowMs, connections: counts }: Plan,
): Promise<Sample[]> {
  const client = fork(CLIENT, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const bodies = new Map(
    contenders.map((c) => [c.name, texts.slice(0, BODIES).map((text) => c.bodyOf(text))]),
  );
  const ask = async (c: Contender, connections: number, ms: number): Promise<LoadResult> =>
    order(client, { url: c.url, path: c.path, bodies: bodies.get(c.name) ?? [], connections, windowMs: ms });
  const samples: Sample[] = [];
  try {
    for (const contender of contenders) await ask(contender, 16, WARM_MS);
    for (let round = 0; round < rounds; round++) {
      const turns = round % 2 === 0 ? contenders : contenders.toReversed();
      for (const connections of counts)
        for (const contender of turns) {
          const result = await ask(contender, connections, windowMs);
          samples.push({ contender: contender.name, connections, round, ...result });
        }
      process.stderr.write(`round ${round + 1} of ${rounds}\n`);
    }
  } finally {
    client.disconnect();
    await end(client);
  }
  return samples.toSorted((a, b) => a.connections - b.connections || a.round - b.round);
}

async function startAll(
  { dir }: BenchModel,
  { folder, withRivals }: { folder: string; withRivals: boolean },
  started: Contender[],
): Promise<void> {
  started.push(...(await startPrime(dir, join(folder, 'home'))));
  started.push(await startBare(dir, BARE), await startBare('echo', CEILING));
  if (!withRivals) return;
  const encode = await encoderOf(dir);
  const work = join(folder, 'mlserver');
  await mkdir(work);
  started.push(await startMlServer(dir, work, encode));
  started.push(await startRayServe(dir, encode));
}

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '6' },
    window: { type: 'string', default: '4000' },
    connections: { type: 'string', default: '1,16,64' },
    'without-rivals': { type: 'boolean', default: false },
    ...OUTPUT_OPTIONS,
  },
});
const plan: Plan = {
  rounds: Number(values.rounds),
  windowMs: Number(values.window),
  connections: values.connections.split(',').map(Number),
};
const withRivals = !values['without-rivals'] && haveRivals();
const missing = withRivals ? [] : ['MLServer and Ray Serve (`npm run setup:bench-serving` installs them)'];
const model = await trainedModel();
const machine = describeSurroundings();
const folder = await mkdtemp(join(tmpdir(), 'bench-serving-'));
const started: Contender[] = [];
try {
  await startAll(model, { folder, withRivals }, started);
  await checkAnswers(
    started.filter(({ name }) => name !== CEILING),
    model,
  );
  const samples = await measure(started, model.texts, plan);
  const report = reportOf(samples, { ...plan, machine, missing });
  await tell({ name: 'serving', report, figures: samples }, values);
} finally {
  for (const contender of started) await contender.stop();
  await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}
