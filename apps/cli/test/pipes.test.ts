// Output that goes somewhere else than to a terminal.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { fixture } from './fixture.ts';

const CLI = fileURLToPath(new URL('../bin/jarvis.js', import.meta.url));

test('no colour and no cursor where there is no terminal', async (t) => {
  const f = await fixture(t);
  for (const args of [['config'], ['status'], ['--help']]) {
    const { stdout, stderr } = await f.run(args, { TERM: 'xterm-256color' });
    assert.equal((stdout + stderr).includes('\u001B'), false, args.join(' '));
  }
});

test('a reader that has seen enough ends the output without a word', async (t) => {
  const f = await fixture(t);
  for (const args of [['config'], ['status'], ['--help']]) {
    const running = f.start(args);
    running.child.stdout?.destroy();
    const { code, stderr } = await running.ended;
    assert.equal(stderr, '', args.join(' '));
    assert.ok(code === 0 || code === 69, `${args.join(' ')}: ${code}`);
  }
});

test('following the logs ends when nobody reads them', async (t) => {
  const f = await fixture(t);
  await mkdir(join(f.home, 'logs'), { recursive: true });
  await writeFile(join(f.home, 'logs', 'jarvis-core.log'), 'one\ntwo\n');
  const running = f.start(['logs', '-f']);
  running.child.stdout?.destroy();
  const { code, stderr } = await running.ended;
  assert.deepEqual([code, stderr], [0, '']);
});

test(
  'output that cannot be written is a failure',
  { skip: !existsSync('/dev/full') && 'needs /dev/full' },
  async (t) => {
    const f = await fixture(t);
    const { status, stderr } = spawnSync(
      'sh',
      ['-c', '"$0" "$1" config > /dev/full', process.execPath, CLI],
      {
        env: { PATH: process.env['PATH'], JARVIS_HOME: f.home },
        encoding: 'utf8',
      },
    );
    assert.equal(status, 1);
    assert.match(stderr, /^the output cannot be written: ENOSPC[^\n]*\n$/);
  },
);
