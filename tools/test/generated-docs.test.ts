// The generated parts of docs/ say what the contracts say, and nothing that these no longer know.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ENVIRONMENT, ERROR_CODES, JOB_STATES, METRICS } from '@jarvis/contracts';
import { generatedDocs } from '../generated-docs.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const docs = generatedDocs();

for (const [path, text] of docs) {
  test(`${path} is as the contracts make it (else: npm run docs)`, () => {
    assert.equal(readFileSync(join(root, path), 'utf8'), text);
  });
}

test('every variable, code, metric and job state is in its text', () => {
  for (const name of Object.keys(ENVIRONMENT))
    assert.ok(docs.get('docs/configuration.md')?.includes(`| \`${name}\` |`), name);
  for (const code of Object.keys(ERROR_CODES))
    assert.ok(docs.get('docs/errors.md')?.includes(`| \`${code}\` |`), code);
  for (const name of Object.keys(METRICS))
    assert.ok(docs.get('docs/metrics.md')?.includes(`| \`${name}\` |`), name);
  for (const state of JOB_STATES) assert.ok(docs.get('docs/lifecycles.md')?.includes(` ${state} -->`), state);
});
