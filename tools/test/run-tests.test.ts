// The test runner itself: counts, reasons of skips, and what REQUIRE_ALL makes of them.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const RUNNER = fileURLToPath(new URL('../run-tests.ts', import.meta.url));
const root = mkdtempSync(join(tmpdir(), 'run-tests-'));
after(() => rmSync(root, { recursive: true }));

function file(path: string, body: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), `import { test } from 'node:test';\n${body}\n`);
}

function runTests(
  args: readonly string[],
  env: Record<string, string> = {},
): { code: number | null; out: string } {
  const { NODE_TEST_CONTEXT: _, REQUIRE_ALL: __, ...outer } = process.env;
  const child = spawnSync(process.execPath, [RUNNER, ...args], {
    cwd: root,
    env: { ...outer, ...env },
    encoding: 'utf8',
  });
  return { code: child.status, out: child.stdout + child.stderr };
}

file('package.json', '');
writeFileSync(join(root, 'package.json'), '{"type":"module"}');
file('packages/good/test/good.test.ts', `test('holds', () => {});`);
file(
  'apps/partial/test/partial.test.ts',
  `test('needs torch', { skip: 'there is no torch here' }, () => {});`,
);
file('test/e2e/far.test.ts', `test('far', () => {});`);
file('trainers/bad/test/bad.test.ts', `test('breaks', () => { throw new Error('broken'); });`);

test('a passing run ends with the counts', () => {
  const { code, out } = runTests(['packages/good']);
  assert.equal(code, 0, out);
  assert.match(out.trimEnd(), /1 files: 1 passed, 0 failed, 0 skipped$/);
});

test('a failure fails the run', () => {
  const { code, out } = runTests(['trainers/']);
  assert.equal(code, 1);
  assert.match(out, /0 passed, 1 failed/);
});

test('a skip says its reason in the last lines, and is a failure only under REQUIRE_ALL=1', () => {
  const lenient = runTests(['packages/good', 'apps/']);
  assert.equal(lenient.code, 0, lenient.out);
  assert.match(lenient.out.trimEnd().split('\n').slice(-2)[0] ?? '', /needs torch: there is no torch here/);
  const strict = runTests(['packages/good', 'apps/'], { REQUIRE_ALL: '1' });
  assert.equal(strict.code, 1);
  assert.match(strict.out, /a skipped test is a failure/);
});

test('end-to-end tests run only when asked for', () => {
  assert.match(runTests([]).out, /3 files: 1 passed, 1 failed, 1 skipped/);
  assert.match(runTests(['--e2e']).out, /1 files: 1 passed, 0 failed/);
});

test('finding nothing is a failure', () => {
  assert.equal(runTests(['nowhere']).code, 1);
});
