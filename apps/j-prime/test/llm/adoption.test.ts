// J-Prime is killed and started again: the LLM server that it left is found, taken over or stopped, and never doubled.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { type FailpointEntry, FAILPOINTS_VARIABLE } from '@jarvis/failpoints';
import { listProcesses, processStartTicks, signalProcess } from '@jarvis/process';
import { afterwards, exited, fixtureLlmCommand, tempFolder, until } from '@jarvis/testkit';
import { asCommand, engineIn, never } from './engine-in.ts';

const HOST = join(import.meta.dirname, 'children/engine-host.ts');

interface Left {
  readonly pids: readonly number[];
  readonly url: string;
}

function host(folder: string, words: readonly string[], env: NodeJS.ProcessEnv = process.env): ChildProcess {
  return spawn(process.execPath, [HOST, folder, ...words], { env, stdio: ['ignore', 'pipe', 'inherit'] });
}

/** What a process that brought the engine and was killed has left. */
async function leftBehind(t: TestContext, folder: string, words: readonly string[]): Promise<Left> {
  const parent = host(folder, words);
  const [told] = (await once(parent.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
  const left = JSON.parse(told.toString()) as Left;
  afterwards(t, () => left.pids.map((pid) => signalProcess(pid, 'SIGKILL')));
  parent.kill('SIGKILL');
  await exited(parent);
  return left;
}

/** Who runs the fixture with this name of a model. */
async function processesOf(model: string): Promise<number[]> {
  const rows = await listProcesses();
  const lines = await Promise.all(
    rows.map(async ({ pid }) => ({
      pid,
      line: await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''),
    })),
  );
  return lines
    .filter(({ line }) => line.includes(`\0${model}\0`) && !line.includes(HOST))
    .map(({ pid }) => pid);
}

test('the server that a killed J-Prime left is taken over: same process, same port', async (t) => {
  const folder = await tempFolder(t);
  const words = fixtureLlmCommand('{port}', { model: 'adopted' });
  const left = await leftBehind(t, folder, words);
  const engine = await engineIn(folder, asCommand(words));
  afterwards(t, () => engine.close());
  assert.deepEqual(await engine.pids(), left.pids);
  assert.equal(engine.baseUrl(), left.url);
  const look = await engine.look(never);
  assert.deepEqual([look.state, look.models], ['ready', ['adopted']]);
  await engine.bring(never);
  assert.deepEqual(await engine.pids(), left.pids);

  process.kill(left.pids[0] ?? 0, 'SIGKILL');
  await until('its crash to be seen', async () => (await engine.look(never)).state === 'away');
  await engine.bring(never);
  assert.notDeepEqual(await engine.pids(), left.pids);
  await engine.close();
  assert.deepEqual(await processesOf('adopted'), []);
  assert.ok(!existsSync(join(folder, 'llm-owner.json')));
});

test('one that was taken over is stopped like any other', async (t) => {
  const folder = await tempFolder(t);
  const words = fixtureLlmCommand('{port}', { model: 'adopted-stopped' });
  const left = await leftBehind(t, folder, words);
  const engine = await engineIn(folder, asCommand(words));
  await engine.close();
  assert.equal(await processStartTicks(left.pids[0] ?? 0), null);
});

test('one with another command is stopped before anything is started', async (t) => {
  const folder = await tempFolder(t);
  const left = await leftBehind(t, folder, fixtureLlmCommand('{port}', { model: 'before' }));
  const engine = await engineIn(folder, asCommand(fixtureLlmCommand('{port}', { model: 'after' })));
  afterwards(t, () => engine.close());
  assert.equal(await processStartTicks(left.pids[0] ?? 0), null);
  assert.deepEqual(await engine.pids(), []);
  await engine.bring(never);
  assert.deepEqual((await engine.look(never)).models, ['after']);
});

test('a pid that belongs to somebody else by now is left alone', async (t) => {
  const folder = await tempFolder(t);
  const words = fixtureLlmCommand('{port}', { model: 'of-another' });
  const left = await leftBehind(t, folder, words);
  const path = join(folder, 'llm-owner.json');
  const owner = JSON.parse(await readFile(path, 'utf8')) as { started_ticks: number };
  await writeFile(path, JSON.stringify({ ...owner, started_ticks: owner.started_ticks - 1 }));
  const engine = await engineIn(folder, asCommand(words));
  assert.deepEqual(await engine.pids(), []);
  await engine.close();
  assert.notEqual(await processStartTicks(left.pids[0] ?? 0), null);
});

test('an owner file that cannot be read starts nothing and keeps nothing from starting', async (t) => {
  const folder = await tempFolder(t);
  await writeFile(join(folder, 'llm-owner.json'), '{"pid": ');
  const engine = await engineIn(folder, asCommand(fixtureLlmCommand('{port}')));
  afterwards(t, () => engine.close());
  assert.equal((await engine.look(never)).state, 'away');
  await engine.bring(never);
});

for (const moment of ['before', 'after'] as const)
  test(`killed ${moment} its owner is written down, J-Prime leaves no server that nobody knows`, async (t) => {
    const folder = await tempFolder(t);
    const plan = join(folder, 'plan.json');
    const entry: FailpointEntry = { action: 'kill', step: 'prime.llm.owner', moment };
    await writeFile(plan, JSON.stringify([entry]));
    const model = `killed-${moment}-${process.pid}`;
    const words = fixtureLlmCommand('{port}', { model });
    const parent = host(folder, words, { ...process.env, [FAILPOINTS_VARIABLE]: plan });
    await exited(parent);
    assert.equal(parent.signalCode, 'SIGKILL', 'the failpoint was passed');
    await until('the held process to end', async () => (await processesOf(model)).length === 0);

    const engine = await engineIn(folder, asCommand(words));
    afterwards(t, () => engine.close());
    await engine.bring(never);
    assert.deepEqual(await processesOf(model), await engine.pids());
  });
