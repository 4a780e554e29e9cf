// Ctrl-C in the middle of the demo: everything is stopped, its home is gone, and the exit code says so.
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { test } from 'node:test';
import { fixture, listening } from './fixture.ts';

const LIMIT_MS = 240_000;

test('interrupted while it is used', { timeout: LIMIT_MS }, async (t) => {
  const f = await fixture(t);
  const demo = f.start(['demo']);
  await demo.says(/Day 1/);
  const ports = /on ports ([\d, ]+)/.exec(demo.stdout())?.[1]?.split(', ').map(Number) ?? [];
  assert.equal((await listening(ports)).length, 3);
  demo.child.kill('SIGINT');
  const { code, stderr } = await demo.ended;
  assert.deepEqual([code, stderr], [130, 'Stopping …\nInterrupted; everything is stopped.\n']);
  assert.deepEqual(await listening(ports), []);
  assert.deepEqual(await readdir(f.folder), []);
});

test('interrupted while it starts', { timeout: LIMIT_MS }, async (t) => {
  const f = await fixture(t);
  const demo = f.start(['demo']);
  await demo.says(/Start: /);
  demo.child.kill('SIGHUP');
  const { code, stderr } = await demo.ended;
  assert.equal(code, 130);
  assert.match(stderr, /everything is stopped/);
  assert.deepEqual(await readdir(f.folder), []);
});
