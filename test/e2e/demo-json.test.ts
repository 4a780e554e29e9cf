// The demo as a program reads it: one JSON object on stdout and nothing else, all as it should be, nothing left behind.
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { test } from 'node:test';
import { tempFolder } from '@jarvis/testkit';
import { startDemo } from './demo-process.ts';

const DEMO_LIMIT_MS = 300_000;

test('demo --json prints one object and leaves nothing', { timeout: DEMO_LIMIT_MS }, async (t) => {
  const folder = await tempFolder(t);
  const demo = startDemo(folder, ['--json']);
  t.after(() => demo.child.kill('SIGTERM'));
  const { code, stdout, stderr } = await demo.ended;
  assert.equal(code, 0, stderr.slice(-4000));
  assert.equal(stderr, '');
  assert.match(stdout, /^\{[^\n]*\}\n$/, 'one line');
  const { accuracy, rolled_back } = JSON.parse(stdout) as {
    accuracy: { before: number; first: number; second: number };
    rolled_back: { version: string; reason: string } | null;
  };
  assert.ok(accuracy.before < accuracy.first && accuracy.first < accuracy.second);
  assert.notEqual(rolled_back?.reason ?? '', '');
  assert.deepEqual(await readdir(folder), []);
});
