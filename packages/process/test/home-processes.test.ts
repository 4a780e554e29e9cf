// Who works on a home: by an argument or an open file below it, whoever started it.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { exited, tempFolder } from '@jarvis/testkit';
import { findHomeProcesses } from '../src/index.ts';

/** A process with a file open and words of its own; resolves once it has both. */
async function hold(t: TestContext, path: string, ...words: string[]): Promise<number> {
  const script = `require('fs').openSync(process.env.HELD, 'a'); console.log('open'); setInterval(() => {}, 1000)`;
  const child = spawn(process.execPath, ['-e', script, '--', ...words], {
    env: { HELD: path },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(async () => {
    child.kill('SIGKILL');
    await exited(child);
  });
  await once(child.stdout, 'data');
  assert.ok(child.pid !== undefined);
  return child.pid;
}

test('an open file or an argument below the home counts; its logs and a home beside it do not', async (t) => {
  const folder = await tempFolder(t);
  const home = join(folder, 'home');
  for (const name of ['home/logs', 'home-of-another']) await mkdir(join(folder, name), { recursive: true });
  const elsewhere = join(folder, 'elsewhere');
  const open = await hold(t, join(home, 'lock.db'));
  const named = await hold(t, elsewhere, join(home, 'runs/job-1/attempt-1/job.json'));
  await hold(t, join(home, 'logs/service.log'), join(home, 'logs/other.log'));
  await hold(t, join(folder, 'home-of-another/lock.db'));
  const found = (await findHomeProcesses(home)) ?? [];
  assert.deepEqual(
    found.map(({ pid }) => pid).sort((a, b) => a - b),
    [open, named].sort((a, b) => a - b),
  );
  for (const { ancestors } of found) assert.equal(ancestors[0], process.pid);
  assert.match(found.find(({ pid }) => pid === named)?.command ?? '', /job-1\/attempt-1\/job\.json$/);
});

test('a system that does not tell is said to be one', async () => {
  const mac = { platform: 'darwin' as const, root: '', runCommand: () => Promise.resolve('') };
  assert.equal(await findHomeProcesses('/home', mac), null);
});
