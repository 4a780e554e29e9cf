// Intent recognition on CLINC150: trains with the real trainer as a child process, then scores the test rows through the
// artifact as it is served. Metrics as in Larson et al. 2019: accuracy over the in-scope test rows (an answer `oos` there
// is an error), recall over the out-of-scope ones, both at the one threshold that the trainer chose without the test rows.
//   npm run bench:nlu [-- --json] [-- --save] [-- --data FILE] [-- --epochs N] [-- --seed N]
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { loadModel } from '@jarvis/model-kinds';
import { describeMachine } from '@jarvis/testkit';
import { type LabelledText, readLabelledTexts } from './labelled-texts.ts';
import { type BenchResult, paperTable, saveResults } from './report.ts';
import { trainOnce } from './train-once.ts';

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
const DEFAULT_DATA = resolve(REPOSITORY, '../shared/data/nlu/clinc150/full.jsonl.gz');
const OUT_OF_SCOPE = 'oos';
const SCORE_BATCH = 256;
const LATENCY_SAMPLES_MAX = 1000;

function percent(part: number, whole: number): number {
  return Math.round((10_000 * part) / whole) / 100;
}

async function score(artifactDir: string, rows: readonly LabelledText[]) {
  const model = await loadModel(artifactDir);
  try {
    const answers: unknown[] = [];
    for (let start = 0; start < rows.length; start += SCORE_BATCH) {
      const batch = rows.slice(start, start + SCORE_BATCH).map(({ text }) => ({ text }));
      answers.push(...(await model.predict(batch)).map(({ output }) => output['intent']));
    }
    const right = (row: LabelledText, i: number) => answers[i] === row.label;
    const inScope = rows.filter(({ label }) => label !== OUT_OF_SCOPE).length;
    const outOfScope = rows.length - inScope;
    const rightInScope = rows.filter((row, i) => row.label !== OUT_OF_SCOPE && right(row, i)).length;
    const refused = rows.filter((row, i) => row.label === OUT_OF_SCOPE && right(row, i)).length;
    const times: number[] = [];
    for (const { text } of rows.slice(0, LATENCY_SAMPLES_MAX)) {
      const start = performance.now();
      await model.predict([{ text }]);
      times.push(performance.now() - start);
    }
    times.sort((a, b) => a - b);
    const bytes = Object.values(model.manifest.files).reduce((sum, file) => sum + file.bytes, 0);
    return {
      in_scope_accuracy: inScope === 0 ? null : percent(rightInScope, inScope),
      oos_recall: outOfScope === 0 ? null : percent(refused, outOfScope),
      predict_ms_p50: Number((times[Math.floor(times.length / 2)] ?? 0).toFixed(3)),
      artifact_mb: Number((bytes / 2 ** 20).toFixed(2)),
    };
  } finally {
    await model.dispose();
  }
}

async function measure(rows: readonly LabelledText[], epochs: number, seed: number): Promise<BenchResult> {
  const work = await mkdtemp(join(tmpdir(), 'bench-nlu-'));
  try {
    const { seconds, artifactDir } = await trainOnce(work, rows, { epochs, seed });
    const test = rows.filter(({ split }) => split === 'test');
    if (test.length === 0) throw new Error('the data has no rows of split "test" to score');
    const labels = new Set(rows.map(({ label }) => label)).size;
    const machine = describeMachine();
    return { ...(await score(artifactDir, test)), seconds, epochs, seed, rows: rows.length, labels, machine };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      json: { type: 'boolean', default: false },
      save: { type: 'boolean', default: false },
      data: { type: 'string' },
      epochs: { type: 'string', default: '16' },
      seed: { type: 'string', default: '1' },
    },
  });
  const path = values.data ?? process.env['JARVIS_CLINC150'] ?? DEFAULT_DATA;
  if (!existsSync(path)) {
    process.stderr.write(
      `skipped: no data at ${path}; set JARVIS_CLINC150 or pass --data FILE (.jsonl or .jsonl.gz)\n`,
    );
    return process.env['REQUIRE_ALL'] === '1' ? 1 : 0;
  }
  const result = await measure(await readLabelledTexts(path), Number(values.epochs), Number(values.seed));
  const { in_scope_accuracy, oos_recall, seconds } = result;
  const printed = values.json
    ? JSON.stringify({ in_scope_accuracy, oos_recall, seconds })
    : paperTable(result);
  process.stdout.write(`${printed}\n`);
  if (values.save) await saveResults(join(REPOSITORY, 'bench/results'), result);
  return 0;
}

process.exitCode = await main();
