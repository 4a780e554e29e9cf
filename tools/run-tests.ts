// `npm test`: runs every *.test.ts of the house, or those whose path begins with one of the arguments.
// End-to-end tests (test/e2e, test/chaos, test/clients, test/delivery, test/memory) run with --e2e or when named. What was
// skipped is said last, with its reason; REQUIRE_ALL=1 makes a skip a failure.
import { globSync } from 'node:fs';
import { sep } from 'node:path';
import { stdout } from 'node:process';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';

const PATTERNS = ['packages', 'apps', 'trainers', 'sim', 'bench', 'tools', 'test'].map(
  (room) => `${room}/**/*.test.ts`,
);
const END_TO_END = /^test\/(e2e|chaos|clients|delivery|memory)\//;
/** Files at once. Several tests start processes of their own; more would only make them wait for each other. */
const FILES_AT_ONCE = 2;
const FILE_LIMIT_MS = 300_000;

interface Counts {
  passed: number;
  failed: number;
  readonly skipped: string[];
}

function findFiles(args: readonly string[]): string[] {
  const folders = args.filter((a) => !a.startsWith('--')).map((a) => a.replace(/^\.\//, ''));
  const files = globSync(PATTERNS, { exclude: (name) => name === 'node_modules' })
    .map((f) => f.split(sep).join('/'))
    .sort();
  if (folders.length > 0) return files.filter((f) => folders.some((folder) => f.startsWith(folder)));
  return args.includes('--e2e')
    ? files.filter((f) => END_TO_END.test(f))
    : files.filter((f) => !END_TO_END.test(f));
}

async function runFiles(files: readonly string[]): Promise<Counts> {
  const counts: Counts = { passed: 0, failed: 0, skipped: [] };
  const stream = run({ files: [...files], concurrency: FILES_AT_ONCE, timeout: FILE_LIMIT_MS });
  stream.on('test:pass', (test) => {
    const reason = test.skip ?? test.todo;
    if (reason !== undefined && reason !== false)
      counts.skipped.push(
        `${test.name}: ${typeof reason === 'string' && reason !== '' ? reason : 'no reason given'}`,
      );
    else if (test.details.type !== 'suite') counts.passed += 1;
  });
  stream.on('test:fail', (test) => {
    if (test.details.type !== 'suite') counts.failed += 1;
  });
  const report = stream.compose(new spec());
  for await (const chunk of report) stdout.write(chunk as Buffer);
  return counts;
}

const files = findFiles(process.argv.slice(2));
if (files.length === 0) {
  process.stderr.write('No test file was found; give the beginning of a path, such as packages/policy.\n');
  process.exit(1);
}
const { passed, failed, skipped } = await runFiles(files);
const requireAll = process.env['REQUIRE_ALL'] === '1';
for (const line of skipped) stdout.write(`skipped: ${line}\n`);
if (skipped.length > 0 && requireAll) stdout.write('REQUIRE_ALL=1: a skipped test is a failure.\n');
stdout.write(`${files.length} files: ${passed} passed, ${failed} failed, ${skipped.length} skipped\n`);
process.exitCode = failed > 0 || passed === 0 || (requireAll && skipped.length > 0) ? 1 : 0;
