// `npm run proof:mutants`: mutation testing of the rooms that decide. Each small change of the code (a bound moved by
// one, a condition turned round, a sentence emptied) has to make a test fail; exit code 1 below the score asked for.
//   [-- --files packages/policy/src/backoff.ts …] [-- --concurrency 2] [-- --list] [-- --save]
// --files takes paths or globs; --list prints each mutant that no test noticed.
import { globSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Stryker } from '@stryker-mutator/core';
import { describeMachine } from '@jarvis/testkit';
import { listUnnoticed, type Mutant, scoreOf, tableOf, tallyOf } from './report.ts';

const RESULT = fileURLToPath(new URL('../../bench/results/mutants.md', import.meta.url));
const ROOMS = ['packages/policy', 'packages/coordinator'] as const;
/** Simulations of many rollouts: half a minute for each mutant, and what they would notice the others notice, too. */
const SLOW_TESTS: readonly string[] = [
  'packages/policy/test/confidence-coverage.test.ts',
  'packages/policy/test/operating-characteristics.test.ts',
];
/** Of mutants that a test notices, in percent. */
const SCORE_MIN = 85;
/** On top of one and a half times as long as without a mutant. */
const TIMEOUT_MS = 15_000;

const { values, positionals } = parseArgs({
  options: {
    files: { type: 'string', multiple: true, default: [] },
    concurrency: { type: 'string', default: '2' },
    list: { type: 'boolean', default: false },
    save: { type: 'boolean', default: false },
  },
  allowPositionals: true,
});
const some = [...values.files, ...positionals];
if (values.save && some.length > 0)
  throw new Error('only the whole of it is saved: --save goes without --files');

/** Tests read the code of their own room by its path, and so the mutated one; that of another room is the real one. */
async function runMutants(mutate: readonly string[]): Promise<readonly Mutant[]> {
  const stryker = new Stryker({
    mutate: [...mutate],
    testRunner: 'tap',
    plugins: ['@stryker-mutator/tap-runner'],
    tap: {
      testFiles: globSync(ROOMS.map((room) => `${room}/test/**/*.test.ts`)).filter(
        (f) => !SLOW_TESTS.includes(f),
      ),
      nodeArgs: ['--test-reporter=tap', '-r', '{{hookFile}}', '{{testFile}}'],
      forceBail: true,
    },
    coverageAnalysis: 'perTest',
    concurrency: Number(values.concurrency),
    timeoutMS: TIMEOUT_MS,
    timeoutFactor: 1.5,
    reporters: ['progress-append-only', 'json', 'html'],
    jsonReporter: { fileName: '.scratch/mutants.json' },
    htmlReporter: { fileName: '.scratch/mutants.html' },
    tempDirName: '.scratch/mutants',
    ignorePatterns: ['**', ...ROOMS.map((room) => `!${room}/**`), '!package.json'],
  });
  return stryker.runMutationTest();
}

/** Some thousand short processes load the same modules: kept as compiled they start in half the time. */
async function compiledOnce<T>(work: () => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'jarvis-mutants-'));
  process.env['NODE_COMPILE_CACHE'] = folder;
  try {
    return await work();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

// Tests are run by whatever `node` is found first; it has to be this one, which reads TypeScript.
process.env['PATH'] = [dirname(process.execPath), process.env['PATH']].join(delimiter);
const startedAt = performance.now();
const mutants = await compiledOnce(() =>
  runMutants(some.length > 0 ? some : ROOMS.map((room) => `${room}/src/**/*.ts`)),
);
const seconds = (performance.now() - startedAt) / 1000;
const of = (room: string): Mutant[] => mutants.filter((m) => m.fileName.includes(`${room}/src/`));
const rooms = ROOMS.filter((room) => of(room).length > 0);
const report = [
  '# Mutants',
  '',
  `Made by \`npm run proof:mutants -- --save\`, in ${seconds.toFixed(0)} s. Machine: ${describeMachine()}.`,
  '',
  ...rooms.flatMap((room) => [`## ${room}`, '', tableOf(room, of(room)), '']),
  await readFile(new URL('survivors.md', import.meta.url), 'utf8'),
].join('\n');
process.stdout.write(report);
if (values.list) process.stdout.write(`${listUnnoticed(mutants).join('\n')}\n`);
if (values.save) await writeFile(RESULT, report);
process.exitCode = rooms.every((room) => scoreOf(tallyOf(room, of(room))) >= SCORE_MIN) ? 0 : 1;
