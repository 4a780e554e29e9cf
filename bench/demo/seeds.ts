// The demo over many seeds: how much better each version is than the one before, whether the poisoned one is rolled back
// each time, and a healthy one never. Exit code 1 when one of these does not hold.
//   npm run proof:demo [-- --seeds N] [-- --from SEED] [-- --parts shipped,healthy,clinc150] [-- --save]
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { describeMachine } from '@jarvis/testkit';
import { type Outcome, reportOf, shortfalls } from './outcomes.ts';

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
const CLI = join(REPOSITORY, 'apps/cli/bin/jarvis.js');
const CLINC150_SMALL = resolve(REPOSITORY, '../shared/data/nlu/clinc150/small.jsonl.gz');
const DEMO_LIMIT_MS = 600_000;
const OUTPUT_BYTES_MAX = 1024 * 1024;

interface Part {
  readonly name: string;
  readonly title: string;
  readonly args: readonly string[];
  readonly healthy: boolean;
  /** The set that it needs; null: the one that comes with the project. */
  readonly data: string | null;
}

function partsOf(clinc150: string): readonly Part[] {
  return [
    {
      name: 'shipped',
      title: 'the shipped set, a poisoned third day',
      args: [],
      healthy: false,
      data: null,
    },
    {
      name: 'healthy',
      title: 'the shipped set, a healthy third day',
      args: ['--healthy-third-day'],
      healthy: true,
      data: null,
    },
    {
      name: 'clinc150',
      title: 'CLINC150 small, a poisoned third day',
      args: ['--data', clinc150],
      healthy: false,
      data: clinc150,
    },
  ];
}

/** Never throws: a demo that ends badly is an outcome. */
function runDemo(part: Part, seed: number): Promise<Outcome> {
  const args = [CLI, 'demo', '--json', '--seed', String(seed), ...part.args];
  const options = { timeout: DEMO_LIMIT_MS, maxBuffer: OUTPUT_BYTES_MAX };
  return new Promise((done) => {
    execFile(process.execPath, args, options, (error, stdout, stderr) => {
      const told = { part: part.title, healthy: part.healthy, seed };
      const trouble = error === null ? '' : stderr.trim().slice(-2000) || error.message;
      try {
        done({ ...told, trouble, summary: JSON.parse(stdout) as Outcome['summary'] });
      } catch {
        done({ ...told, trouble: trouble || 'no summary on stdout', summary: null });
      }
    });
  });
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string', default: '10' },
      from: { type: 'string', default: '1' },
      parts: { type: 'string', default: 'shipped,healthy,clinc150' },
      save: { type: 'boolean', default: false },
    },
  });
  const wanted = values.parts.split(',');
  const parts = partsOf(process.env['JARVIS_CLINC150_SMALL'] ?? CLINC150_SMALL);
  const unknown = wanted.filter((name) => !parts.some((p) => p.name === name));
  if (unknown.length > 0)
    throw new Error(
      `there is no part ${unknown.join(', ')}: it has to be ${parts.map((p) => p.name).join(', ')}`,
    );
  const missing = parts.filter((p) => wanted.includes(p.name) && p.data !== null && !existsSync(p.data));
  for (const { name, data } of missing)
    process.stdout.write(`skipped: ${name}: no data at ${data}; set JARVIS_CLINC150_SMALL\n`);
  const outcomes: Outcome[] = [];
  const from = Number(values.from);
  for (const part of parts.filter((p) => wanted.includes(p.name) && !missing.includes(p))) {
    for (let seed = from; seed < from + Number(values.seeds); seed++) {
      const outcome = await runDemo(part, seed);
      outcomes.push(outcome);
      const found = shortfalls(outcome);
      process.stderr.write(
        `${part.name} ${seed}: ${found.length === 0 ? 'as it should' : found.join('; ')}\n`,
      );
    }
  }
  const machine = describeMachine();
  const report = reportOf(outcomes, machine);
  process.stdout.write(report);
  if (values.save) await writeFile(join(REPOSITORY, 'bench/results/demo-seeds.md'), report);
  const skippedIsFailure = process.env['REQUIRE_ALL'] === '1' && missing.length > 0;
  return skippedIsFailure || outcomes.some((o) => shortfalls(o).length > 0) ? 1 : 0;
}

process.exitCode = await main();
