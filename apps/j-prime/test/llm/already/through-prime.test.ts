// A server that is there already, behind `/v1` of a J-Prime: its memory is asked for, measured, given back and taken again.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import type { PrimeResources, Problem } from '@jarvis/contracts';
import { readConfig, silentLogger, systemClock, systemRandom } from '@jarvis/runtime';
import {
  afterwards,
  exited,
  MODEL_SERVER_PROGRAM,
  type MODEL_SERVERS,
  until,
  type VllmOptions,
} from '@jarvis/testkit';
import { createLlmEngine } from '../../../src/llm/choose.ts';
import { FixtureCore } from '../../fixture-core.ts';
import { makeWorld, type RunningPrime, startPrime } from '../../harness.ts';
import { post, roomMade } from '../../llm-world.ts';

const MIB = 1024 ** 2;
const MODEL_MIB = 150;
/** Whether it is in use or not. */
const NOW = { bytes: 100 * MIB, policy: 'training_first' } as const;

interface Behind {
  readonly prime: RunningPrime;
  readonly core: FixtureCore;
  readonly url: string;
  readonly child: ChildProcess;
}

async function startBehind(
  t: TestContext,
  kind: keyof typeof MODEL_SERVERS,
  options: VllmOptions = {},
): Promise<Behind> {
  const args = [
    '--expose-gc',
    MODEL_SERVER_PROGRAM,
    kind,
    JSON.stringify({ memoryMb: MODEL_MIB, ...options }),
  ];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  afterwards(t, async () => {
    child.kill('SIGKILL');
    await exited(child);
  });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const url = line.toString().trim();
  const world = await makeWorld();
  const core = new FixtureCore();
  await core.start();
  afterwards(t, () => core.stop());
  Object.assign(world.environment, {
    JARVIS_CORE_API_URL: core.url,
    JPRIME_LLM_URL: `${url}/v1`,
    JPRIME_LLM_WAIT: '20',
    // A request brings it back also while its memory is lent.
    NEGOTIATION_POLICY: 'serving_first',
    ...(options.apiKey === undefined ? {} : { JPRIME_LLM_API_KEY: options.apiKey }),
  });
  const read = readConfig({ environment: world.environment, cwd: world.folder });
  assert.ok(read.ok);
  const engine = await createLlmEngine({
    config: read.config,
    environment: {},
    cwd: world.folder,
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger(),
  });
  const prime = await startPrime(world, engine);
  afterwards(t, () => prime.stop());
  return { prime, core, url, child };
}

async function llmOf(prime: RunningPrime): Promise<NonNullable<PrimeResources['llm']>> {
  const { llm } = await prime.resources();
  assert.ok(llm !== null);
  return llm;
}

test('ollama: the model that a request names is loaded in asked-for memory, measured, given back, and loaded again', async (t) => {
  const { prime, core, url, child } = await startBehind(t, 'ollama', { unloadMs: 200 });
  assert.equal((await llmOf(prime)).name, `ollama at ${url}`);
  assert.equal((await llmOf(prime)).state, 'absent');
  assert.equal((await post(prime, { model: 'large' })).status, 200);
  assert.equal(core.asked.length, 1, 'its memory was asked for');
  const there = (await (await fetch(`${url}/api/ps`)).json()) as { models: { name: string }[] };
  assert.deepEqual(
    there.models.map(({ name }) => name),
    ['large'],
  );
  const loaded = await llmOf(prime);
  assert.deepEqual([loaded.state, loaded.pids], ['ready', [child.pid]]);
  assert.ok((loaded.measured_bytes ?? 0) > MODEL_MIB * MIB, `${loaded.measured_bytes}`);

  const room = await roomMade(prime, 'room-1', NOW);
  assert.ok(room.freed_bytes > 0.8 * MODEL_MIB * MIB, JSON.stringify(room));
  const given = await llmOf(prime);
  assert.equal(given.state, 'absent');
  assert.match(given.reason, /gave memory back by unload: \d+ bytes fewer, as measured/);

  assert.equal((await post(prime, {})).status, 200);
  const again = await llmOf(prime);
  assert.ok((again.measured_bytes ?? 0) > MODEL_MIB * MIB, 'what was there last, for who names none');
  assert.equal(core.asked.length, 2);
});

test('llama-swap cuts off what still runs, so what runs is answered before; traffic past J-Prime counts', async (t) => {
  const { prime, url } = await startBehind(t, 'llama-swap', { graceMs: 0, apiKey: 'key-of-the-server' });
  const authorization = { authorization: 'Bearer key-of-the-server' };
  assert.equal((await post(prime, { model: 'small' })).status, 200, 'with the key of the server');
  const ours = post(prime, { model: 'small', wait_ms: 700 });
  await until('the request to run', async () => (await llmOf(prime)).running === 1);
  const room = await roomMade(prime, 'room-1', NOW);
  assert.equal((await ours).status, 200);
  assert.ok(room.freed_bytes > 100 * MIB, JSON.stringify(room));

  assert.equal((await post(prime, { model: 'small' })).status, 200);
  const others = fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: authorization,
    body: JSON.stringify({ model: 'small', wait_ms: 4000 }),
  });
  await until('it to be seen', async () => (await llmOf(prime)).busy_elsewhere);
  await roomMade(prime, 'room-2', { ...NOW, bytes: 1 });
  assert.equal((await others).status, 200, 'requests of others are waited for too');
});

test('vllm gives its weights back and is woken; one that only says that it sleeps is found out by measuring', async (t) => {
  for (const frees of [true, false]) {
    const { prime } = await startBehind(t, 'vllm', { frees });
    await until('it to be ready', async () => (await llmOf(prime)).state === 'ready');
    const room = await roomMade(prime, 'room-1', NOW);
    const { reason } = await llmOf(prime);
    assert.match(reason, /gave memory back by sleep: \d+ bytes fewer, as measured/);
    const told = Number(/(\d+) bytes fewer/.exec(reason)?.[1]);
    assert.equal(told, Math.round(room.freed_bytes));
    assert.equal(told > NOW.bytes, frees, reason);
    assert.equal((await post(prime, { model: 'small' })).status, 200, 'awake again');
  }
});

test('a server that is gone: the request is told so at once, and no memory is asked for', async (t) => {
  const { prime, core, child } = await startBehind(t, 'localai');
  assert.equal((await post(prime, { model: 'small' })).status, 200);
  child.kill('SIGKILL');
  await exited(child);
  await until('its end to be seen', async () => (await llmOf(prime)).state === 'absent');
  const refused = await post(prime, { model: 'small' });
  const problem = (await refused.json()) as Problem;
  assert.deepEqual([refused.status, problem.code], [503, 'llm_unavailable']);
  assert.match(problem.detail ?? '', /localai at http.* is away/);
  assert.ok(refused.headers.get('retry-after') !== null);
  assert.equal(core.asked.length, 1);
});
