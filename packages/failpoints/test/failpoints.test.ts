// Failpoints in real processes: who dies where, once; who hangs; and that nothing happens when they are off.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { tempFolder, until } from '@jarvis/testkit';
import {
  activeTrigger,
  armFailpoints,
  type FailpointEntry,
  FAILPOINTS_VARIABLE,
  setTrigger,
} from '../src/index.ts';

const CHILD = fileURLToPath(new URL('children/stepping.ts', import.meta.url));

async function planOf(t: TestContext, entries: readonly FailpointEntry[]): Promise<string> {
  const path = join(await tempFolder(t), 'plan.json');
  await writeFile(path, JSON.stringify(entries));
  return path;
}

function start(
  t: TestContext,
  plan: string | null,
): { child: ChildProcess; ended: Promise<{ lines: string[]; signal: string | null }> } {
  const { [FAILPOINTS_VARIABLE]: _, ...environment } = process.env;
  const child = spawn(process.execPath, [CHILD], {
    env: { ...environment, ...(plan === null ? {} : { [FAILPOINTS_VARIABLE]: plan }) },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const ended = once(child, 'close').then(([, signal]) => ({
    lines: said.split('\n').filter((line) => line !== ''),
    signal: signal as string | null,
  }));
  return { child, ended };
}

const ALL = ['test.first', 'test.second', 'test.first', 'end'];

test('off, they do nothing', async (t) => {
  assert.deepEqual(await start(t, null).ended, { lines: ALL, signal: null });
  armFailpoints({});
  assert.equal(activeTrigger(), null);
});

test('before a step the step is not done, after it nothing that follows is', async (t) => {
  const before = await planOf(t, [{ action: 'kill', step: 'test.second', moment: 'before' }]);
  assert.deepEqual(await start(t, before).ended, { lines: ['test.first'], signal: 'SIGKILL' });
  const after = await planOf(t, [{ action: 'kill', step: 'test.second', moment: 'after' }]);
  assert.deepEqual(await start(t, after).ended, { lines: ['test.first', 'test.second'], signal: 'SIGKILL' });
});

test('an entry fires once, however often the process is started again', async (t) => {
  const plan = await planOf(t, [{ action: 'kill', step: 'test.first', moment: 'before' }]);
  assert.equal((await start(t, plan).ended).signal, 'SIGKILL');
  assert.deepEqual(await start(t, plan).ended, { lines: ALL, signal: null });
});

test('at a later passing the earlier ones go by', async (t) => {
  const plan = await planOf(t, [{ action: 'kill', step: 'test.first', moment: 'before', passing: 2 }]);
  assert.deepEqual(await start(t, plan).ended, { lines: ALL.slice(0, 2), signal: 'SIGKILL' });
});

test('one that hangs lives and does nothing until it is continued', async (t) => {
  const plan = await planOf(t, [{ action: 'hang', step: 'test.second', moment: 'before' }]);
  const { child, ended } = start(t, plan);
  await until('the process is stopped', async () => {
    const stat = await readFile(`/proc/${child.pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).startsWith('T');
  });
  child.kill('SIGCONT');
  assert.deepEqual(await ended, { lines: ALL, signal: null });
});

test('a plan that cannot be understood is an error, not a test that tests nothing', async (t) => {
  for (const text of [
    '{',
    '[{"action":"explode","step":"test.first","moment":"before"}]',
    '[{"action":"kill"}]',
  ]) {
    const path = join(await tempFolder(t), 'plan.json');
    await writeFile(path, text);
    assert.throws(() => armFailpoints({ [FAILPOINTS_VARIABLE]: path }));
  }
  assert.throws(() => armFailpoints({ [FAILPOINTS_VARIABLE]: '/nowhere/plan.json' }));
});

test('a reply is lost once', async (t) => {
  const plan = await planOf(t, [{ action: 'lose_reply', request: 'reactor-core POST /api/training/start' }]);
  t.after(() => setTrigger(null));
  armFailpoints({ [FAILPOINTS_VARIABLE]: plan });
  const trigger = activeTrigger();
  assert.ok(trigger !== null);
  assert.equal(trigger.losesReply('reactor-core GET /health'), false);
  assert.equal(trigger.losesReply('reactor-core POST /api/training/start'), true);
  assert.equal(trigger.losesReply('reactor-core POST /api/training/start'), false);
});
