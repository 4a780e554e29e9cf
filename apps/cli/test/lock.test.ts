// `jarvis lock` around real commands, beside a real JARVIS Core.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { until } from '@jarvis/testkit';
import { type Core, startCore } from './core.ts';
import { fixture } from './fixture.ts';

async function stateOf(core: Core, name: string): Promise<string | undefined> {
  const { locks } = (await (await fetch(`${core.url}/api/locks`)).json()) as {
    locks: { name: string; state: string }[];
  };
  return locks.find((lock) => lock.name === name)?.state;
}

test('a command runs under its lock, with its token, and its exit code is passed on', async (t) => {
  const f = await fixture(t);
  const core = await startCore(t, f);
  const show = ['sh', '-c', 'echo "$JARVIS_LOCK_NAME $JARVIS_LOCK_TOKEN"; exit 7'];
  const first = await f.run(['lock', 'backup', '--', ...show]);
  assert.deepEqual(first, { code: 7, stdout: 'backup 1\n', stderr: '' });
  assert.equal((await f.run(['lock', 'backup', '--', ...show])).stdout, 'backup 2\n');
  assert.equal(await stateOf(core, 'backup'), 'free');

  const none = await f.run(['lock', 'backup', '--', 'no-such-program']);
  assert.equal(none.code, 127);
  assert.match(none.stderr, /no program no-such-program/);
  assert.equal(await stateOf(core, 'backup'), 'free', 'given back all the same');
});

test('whoever waits is told for whom, and comes next; who does not wait is told so', async (t) => {
  const f = await fixture(t);
  await startCore(t, f);
  const gate = join(f.folder, 'gate');
  const holds = f.start([
    'lock',
    'backup',
    '--holder',
    'first',
    '--',
    'sh',
    '-c',
    `until [ -e ${gate} ]; do sleep 0.05; done; echo done`,
  ]);
  await until(
    'the first to hold it',
    async () => (await f.run(['lock', 'backup', '--wait', '0', '--', 'true'])).code === 75,
  );
  const refused = await f.run(['lock', 'backup', '--wait', '0', '--', 'true']);
  assert.match(refused.stderr, /held by first.*not run/);
  const waits = f.start(['lock', 'backup', '--', 'echo', 'mine']);
  await waits.says(/Waiting: backup is held by first/);
  const givesUp = f.start(['lock', 'backup', '--', 'echo', 'never']);
  await givesUp.says(/Waiting/);
  givesUp.child.kill('SIGINT');
  assert.deepEqual((await givesUp.ended).code, 130);
  await writeFile(gate, '');
  assert.equal((await holds.ended).stdout, 'done\n');
  assert.equal((await waits.ended).stdout, 'mine\n');
  assert.equal(givesUp.stdout(), '');
});

test('signals reach the command and what it started; it says how it ended', async (t) => {
  const f = await fixture(t);
  const core = await startCore(t, f);
  const script = 'trap "echo asked; exit 3" TERM; echo ready; while :; do sleep 0.05; done';
  const run = f.start(['lock', 'backup', '--', 'sh', '-c', script]);
  await run.says(/ready/);
  run.child.kill('SIGTERM');
  assert.deepEqual((await run.ended).code, 3);
  assert.match(run.stdout(), /asked/);
  const killed = await f.run(['lock', 'backup', '--', 'sh', '-c', 'kill -KILL $$']);
  assert.equal(killed.code, 137);
  assert.equal(await stateOf(core, 'backup'), 'free');
});

test('once the lock is lost the command is stopped, with what it started, deaf or not', async (t) => {
  const f = await fixture(t);
  const core = await startCore(t, f);
  const beat = join(f.folder, 'beat');
  const deaf = `trap "" TERM; sh -c 'trap "" TERM; while :; do echo x >> ${beat}; sleep 0.05; done' & wait; while :; do sleep 0.05; done`;
  const run = f.start(['lock', 'backup', '--ttl', '1', '--', 'sh', '-c', deaf]);
  await until('it to run', () => existsSync(beat));
  await core.kill();
  const { code, stderr } = await run.ended;
  assert.equal(code, 79);
  assert.match(
    stderr,
    /lock backup \(token 1\) is lost: nothing renewed it in time; the command was stopped/,
  );
  const before = await readFile(beat, 'utf8');
  const elsewhere = await f.run(['lock', 'backup', '--', 'true']);
  assert.equal(elsewhere.code, 69);
  assert.match(elsewhere.stderr, /JARVIS Core does not answer[\s\S]*jarvis up/);
  assert.equal(await readFile(beat, 'utf8'), before, 'nobody writes any more');
});

test('help and refusals say what to do', async (t) => {
  const f = await fixture(t);
  const help = await f.run(['lock', '--help']);
  assert.equal(help.code, 0);
  for (const said of [/\$ jarvis lock backup -- tar/, /JARVIS_LOCK_TOKEN/, /75 .*79 .*69/s])
    assert.match(help.stdout, said);
  for (const args of [
    ['backup'],
    ['backup', '--ttl', '0', '--', 'true'],
    ['backup', '--holder', 'a b', '--', 'true'],
  ]) {
    const { code, stderr } = await f.run(['lock', ...args]);
    assert.equal(code, 1);
    assert.match(stderr, /jarvis lock --help/);
  }
});
