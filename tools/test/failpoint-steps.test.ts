// Every named step is taken somewhere: one that is not would be a failpoint at which nothing ever dies.
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { STEPS } from '@jarvis/failpoints';

const root = fileURLToPath(new URL('../..', import.meta.url));

test('every failpoint is in the code', () => {
  const files = globSync(['apps/*/src/**/*.ts', 'packages/*/src/**/*.ts'], { cwd: root }).filter(
    (file) => !file.endsWith('failpoints/src/steps.ts'),
  );
  const code = files.map((file) => readFileSync(`${root}/${file}`, 'utf8')).join('\n');
  assert.deepEqual(
    STEPS.filter((step) => !code.includes(`'${step}'`)),
    [],
  );
  assert.deepEqual(
    [...STEPS].sort((a, b) => a.localeCompare(b)),
    [...STEPS],
    'sorted, each once',
  );
});
