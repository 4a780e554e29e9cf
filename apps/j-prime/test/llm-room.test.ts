// Room in memory, by grades: what is given, in which order, what stays, and that it comes back.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '@jarvis/testkit';
import { fixtureModel } from './fixture-models.ts';
import { makeWorld, type RunningPrime, startPrime } from './harness.ts';
import { makeLlmWorld, makeRoom, post, roomMade } from './llm-world.ts';

const MIB = 1024 ** 2;
const v1 = fixtureModel({ version: 'v0.1.0', intent: 'one' });
const v2 = fixtureModel({ version: 'v0.2.0', intent: 'two' });
const IDLE_AT_ONCE = { JPRIME_IDLE_SECONDS: '0.01' };

const states = (answer: { steps: { state: string }[] }): string[] => answer.steps.map((step) => step.state);

async function llmState(prime: RunningPrime): Promise<string | undefined> {
  return (await prime.resources()).llm?.state;
}

test('a small model that is idle is unloaded, loaded by the next request, and by restore', async () => {
  const world = await makeWorld();
  Object.assign(world.environment, IDLE_AT_ONCE);
  const prime = await startPrime(world);
  world.reactor.route(v1);
  await prime.serves('v0.1.0');
  await prime.predict('hello');
  await until('it to be idle', async () => (await prime.resources()).idle_seconds > 0.02);
  const made = await roomMade(prime, 'lease-1');
  assert.equal(made.state, 'done');
  assert.match(made.steps[0]?.what ?? '', /nlu v0\.1\.0, which nobody asks for/);
  assert.deepEqual((await prime.resources()).models, []);
  assert.equal((await prime.health()).models_deployed['nlu'], 'v0.1.0', 'it still is what answers');
  const answers = await Promise.all([prime.predict('one'), prime.predict('two')]);
  assert.deepEqual(
    answers.map((a) => a.version),
    ['v0.1.0', 'v0.1.0'],
  );
  await until('it to be idle again', async () => (await prime.resources()).idle_seconds > 0.02);
  assert.equal((await roomMade(prime, 'lease-2')).state, 'done');
  const restored = (await prime.call('POST', '/api/memory/restore', {})).body;
  assert.deepEqual(restored, { restored: ['nlu v0.1.0'] });
  assert.equal((await prime.resources()).models[0]?.state, 'ready');

  await until('it to be idle once more', async () => (await prime.resources()).idle_seconds > 0.02);
  assert.equal((await roomMade(prime, 'lease-3')).state, 'done');
  await prime.stop();
  const again = await startPrime(world);
  await until(
    'the routes to be known',
    async () => (await again.health()).models_deployed['nlu'] === 'v0.1.0',
  );
  assert.deepEqual(
    (await again.resources()).models,
    [],
    'what was given away is not taken back by a restart',
  );
  world.reactor.route(v2);
  await again.serves('v0.2.0');
  await again.waitForState('v0.2.0', 'ready');
});

test('wait: the LLM stays while it is in use, and goes when it is idle; the cheapest way that is enough', async (t) => {
  const world = await makeLlmWorld(t, { JPRIME_IDLE_SECONDS: '1' });
  const prime = await world.start();
  const nothing = await roomMade(prime, 'lease-0');
  assert.deepEqual([nothing.state, nothing.steps], ['refused', []]);
  assert.match(nothing.reason, /the LLM holds nothing/);
  await post(prime, {});
  const refused = await roomMade(prime, 'lease-1');
  assert.equal(refused.state, 'refused');
  assert.match(refused.reason, /in use/);
  assert.equal(await llmState(prime), 'ready');
  await until('it to be idle', async () => ((await prime.resources()).llm?.idle_seconds ?? 0) > 1.1);

  const made = await makeRoom(prime, 'lease-2', { bytes: 8 * MIB });
  assert.deepEqual(
    made.steps.map((s) => s.what),
    [
      'put the LLM to sleep (fixture LLM)',
      'unload the LLM (fixture LLM)',
      'stop the LLM server (fixture LLM)',
    ],
  );
  const ended = await roomMade(prime, 'lease-2', { bytes: 8 * MIB });
  assert.deepEqual([ended.state, ...states(ended)], ['done', 'done', 'skipped', 'skipped']);
  assert.ok(ended.freed_bytes > 30 * MIB && ended.freed_bytes < 70 * MIB, `${ended.freed_bytes}`);
  assert.equal((await world.engine.state())?.state, 'asleep');
  assert.equal(await llmState(prime), 'absent');

  const told = await post(prime, {});
  assert.deepEqual([told.status, told.headers.get('retry-after')], [503, '30']);
  assert.match(((await told.json()) as { detail: string }).detail, /lent for a training/);
  assert.equal(world.core.asked.length, 1, 'nothing was asked for');

  await prime.call('POST', '/api/memory/restore', {});
  await until('the LLM to be back', async () => (await llmState(prime)) === 'ready');
  assert.equal((world.core.asked[1] as { why: string }).why, 'restore');
  const need = (world.core.asked[1] as { need: { ram_bytes: number } }).need.ram_bytes;
  assert.ok(need > 64 * MIB && need < 250 * MIB, `what it was measured to hold: ${need}`);
});

test('training_first: drained in use; what runs is answered, more is taken until it is enough', async (t) => {
  const world = await makeLlmWorld(t);
  const prime = await world.start();
  const response = await post(prime, { stream: true, tokens: 1, gated: true });
  const ask = { bytes: 10_000 * MIB, policy: 'training_first' } as const;
  const asked = await until('its plan', async () => {
    const answer = await makeRoom(prime, 'lease-1', ask);
    return answer.steps.length > 0 ? answer : null;
  });
  await until('it to drain', async () => (await llmState(prime)) === 'draining');
  assert.deepEqual([asked.state, ...states(asked)], ['draining', 'planned', 'planned', 'planned']);
  assert.equal((await post(prime, {})).status, 503, 'nothing new starts');
  const other = await makeRoom(prime, 'lease-other', { ...ask, bytes: 1 });
  assert.equal(other.state, 'draining', 'one after the other');
  await world.engine.tell('next');
  assert.equal(await response.text(), 'data: x\n\ndata: [DONE]\n\n', 'what ran is answered to its end');
  const ended = await roomMade(prime, 'lease-1', ask);
  assert.deepEqual([ended.state, ...states(ended)], ['done', 'done', 'done', 'done']);
  assert.match(ended.reason, /sleep, then unload, then stop.*less than/);
  assert.equal(await world.engine.state(), null, 'the process is gone');
  await until('the other to find nothing', async () => {
    const answer = (await prime.call('GET', '/api/memory/make-room/lease-other')).body as { state: string };
    return answer.state === 'refused';
  });
});

test('training_first: past its deadline the drain is called off; so is it by restore', async (t) => {
  const world = await makeLlmWorld(t, { NEGOTIATION_POLICY: 'serving_first' });
  const prime = await world.start();
  const running = await post(prime, { stream: true, tokens: 1, gated: true });
  const by = new Date(Date.now() + 4_000).toISOString();
  const first = await roomMade(prime, 'lease-1', { by, policy: 'training_first' });
  assert.equal(first.state, 'refused');
  assert.match(first.reason, /in use until the deadline/);
  assert.equal((await makeRoom(prime, 'lease-2', { policy: 'training_first' })).state, 'draining');
  const held = post(prime, {});
  await until('it to be held', async () => (await prime.resources()).llm?.waiting_requests === 1);
  await prime.call('POST', '/api/memory/restore', {});
  assert.equal((await held).status, 200, 'the held go on');
  assert.equal(await llmState(prime), 'ready');
  await world.engine.tell('next');
  assert.match(await running.text(), /DONE/);
});

test('serving_first: a request wants the memory back and is held until it has it', async (t) => {
  const world = await makeLlmWorld(t, { ...IDLE_AT_ONCE, NEGOTIATION_POLICY: 'serving_first' });
  const prime = await world.start();
  await post(prime, {});
  await until('it to be idle', async () => ((await prime.resources()).llm?.idle_seconds ?? 0) > 0.02);
  assert.equal((await roomMade(prime, 'lease-1', { policy: 'serving_first' })).state, 'done');
  world.core.grants = 'never';
  const held = post(prime, { tokens: 1 });
  await until('the memory to be asked for', () => world.core.asked.length === 2);
  const { llm, idle_seconds: idle } = await prime.resources();
  assert.deepEqual([llm?.state, llm?.waiting_requests, idle], ['asking', 1, 0]);
  world.core.grantAll();
  assert.equal((await held).status, 200);
});

test('JARVIS Core away: loaded when the machine has room for it, else told why not', async (t) => {
  const world = await makeLlmWorld(t, {
    JPRIME_LLM_MEMORY_GB: '100000',
    NEGOTIATION_POLICY: 'serving_first',
  });
  const prime = await world.start();
  await world.core.stop();
  const response = await post(prime, {});
  assert.equal(response.status, 503);
  assert.match(((await response.json()) as { detail: string }).detail, /JARVIS Core.*is away.*are free/);
  await prime.stop();
  world.environment['JPRIME_LLM_MEMORY_GB'] = '0.01';
  assert.equal((await post(await world.start(), {})).status, 200);
});

test('an engine that can give nothing back says so; one that was there is taken over', async (t) => {
  const world = await makeLlmWorld(t, IDLE_AT_ONCE, { ways: [] });
  await world.engine.bring(new AbortController().signal);
  const prime = await world.start();
  const { llm } = await prime.resources();
  assert.deepEqual([llm?.state, llm?.ways, llm?.cannot], ['ready', [], 'the fixture keeps what it has']);
  assert.equal((await post(prime, {})).status, 200);
  assert.deepEqual(world.core.asked, [], 'it has its memory');
  const refused = await makeRoom(prime, 'lease-1', { policy: 'training_first' });
  assert.equal(refused.state, 'refused');
  assert.match(refused.reason, /the fixture keeps what it has/);
});

test('a load that fails is broken, which the health says', async (t) => {
  const world = await makeLlmWorld(t);
  world.engine.failsWith = 'the file is no model';
  const prime = await world.start();
  const response = await post(prime, {});
  assert.equal(response.status, 503);
  assert.match(((await response.json()) as { detail: string }).detail, /the file is no model/);
  assert.equal((await prime.health()).status, 'degraded');
  assert.equal(world.core.last?.state, 'released');
  world.engine.failsWith = null;
  await until('it to be tried again', async () => (await post(prime, {})).status === 200);
  assert.equal((await prime.health()).status, 'healthy');
});
