// What is special to one kind of server that is there already.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isCodedError } from '@jarvis/contracts';
import {
  LlamaServer,
  LlamaSwapServer,
  LmStudioServer,
  LocalAiServer,
  OllamaServer,
  until,
  VllmServer,
} from '@jarvis/testkit';
import { modelsToBring } from '../../../src/llm/already/which-models.ts';
import { engineAt, never, started } from './engine-at.ts';

const MIB = 1024 ** 2;

function ask(url: string, body: object): Promise<Response> {
  return fetch(`${url}/v1/chat/completions`, { method: 'POST', body: JSON.stringify(body) });
}

test('which models come back: what is asked for, else what was there, else the first', () => {
  const listed = ['a:latest', 'b', 'c'];
  const of = (asked: string | null, remembered: string[]) => modelsToBring({ asked, remembered, listed });
  assert.deepEqual(of('c', ['b']), ['c']);
  assert.deepEqual(of('a', ['b']), ['a:latest']);
  assert.deepEqual(of('unknown', ['b', 'c']), ['b', 'c']);
  assert.deepEqual(of(null, ['was removed', 'c']), ['c']);
  assert.deepEqual(of(null, ['was removed']), ['a:latest']);
  assert.deepEqual(modelsToBring({ asked: 'a', remembered: ['a'], listed: [] }), []);
});

test('ollama: says what it takes in main memory; what others unload or load is seen', async (t) => {
  const server = await started(t, new OllamaServer({ memoryMb: 3 }));
  const engine = await engineAt(server);
  assert.equal((await engine.look(never)).statedBytes, null);
  await ask(server.url, { model: 'large' });
  const { state, statedBytes, detail } = await engine.look(never);
  assert.deepEqual([state, statedBytes], ['ready', 3 * MIB], detail);
  server.unload('large');
  assert.equal((await engine.look(never)).state, 'unloaded');
});

test('ollama: a model of which nothing is known is refused with its own words', async (t) => {
  const server = await started(t, new OllamaServer({ models: [] }));
  const engine = await engineAt(server);
  await assert.rejects(engine.bring(never, 'gone'), /no model that could be loaded/);
});

test('llama-swap: requests of others are seen where it tells, and an old one is unloaded by its old call', async (t) => {
  const server = await started(t, new LlamaSwapServer());
  const engine = await engineAt(server);
  await engine.bring(never, 'small');
  assert.equal((await engine.look(never)).running, 0);
  const answer = ask(server.url, { model: 'small', wait_ms: 400 });
  await until('the request to be seen', async () => (await engine.look(never)).running === 1);
  await (await answer).text();
  server.tellsInflight = false;
  const hasty = await engineAt(server, null, { calls: { eventLimitMs: 50 } });
  assert.equal((await hasty.look(never)).running, null, 'an event that does not come is not waited for');
  server.isOld = true;
  assert.equal((await engine.look(never)).running, null);
  await engine.release('unload', never);
  assert.deepEqual(
    server
      .paths()
      .slice(-3, -2)
      .concat(server.paths().filter((p) => p.endsWith('/unload'))),
    ['GET /unload', 'POST /api/models/unload', 'GET /unload'],
  );
  assert.equal(server.loaded.size, 0);
});

test('llama-swap: what does not end in its grace is cut off, which is why J-Prime drains before', async (t) => {
  const server = await started(t, new LlamaSwapServer({ graceMs: 50 }));
  const engine = await engineAt(server);
  await engine.bring(never, 'small');
  const answer = ask(server.url, { model: 'small', wait_ms: 10_000 });
  const cut = assert.rejects(answer);
  await until('the request to run', () => server.running.get('small') === 1);
  await engine.release('unload', never);
  await cut;
  assert.equal(server.cutOff, 1);
});

test('vllm: without its dev mode it cannot, and says what it lacks', async (t) => {
  const server = await started(t, new VllmServer());
  server.isDevMode = false;
  const engine = await engineAt(server);
  assert.equal((await engine.look(never)).state, 'ready');
  assert.deepEqual(engine.ways, []);
  assert.match(engine.cannot ?? '', /--enable-sleep-mode and VLLM_SERVER_DEV_MODE=1/);
});

test('vllm: level 2 and its three steps back; its own count of requests', async (t) => {
  const server = await started(t, new VllmServer());
  const engine = await engineAt(server);
  const answer = ask(server.url, { model: 'small', wait_ms: 300 });
  await until('the request to be seen', async () => (await engine.look(never)).running === 1);
  await engine.release('sleep', never);
  assert.equal((await answer).status, 200);
  assert.equal(server.level, 2);
  assert.equal((await engine.look(never)).detail, 'sleeps at level 2');
  // Another J-Prime, which has not seen it go to sleep.
  const next = await engineAt(server);
  server.heard.length = 0;
  await next.bring(never);
  assert.deepEqual(
    server.paths().filter((path) => path.startsWith('POST')),
    ['POST /wake_up?tags=weights', 'POST /collective_rpc', 'POST /wake_up?tags=kv_cache'],
  );
  assert.equal((await ask(server.url, { model: 'small' })).status, 200);
});

test('vllm: asleep at level 1 it has freed nothing here, and that is said', async (t) => {
  const server = await started(t, new VllmServer());
  server.onlyLevel1 = true;
  const engine = await engineAt(server);
  const limit = new AbortController();
  const release = assert.rejects(engine.release('sleep', limit.signal), (error: unknown) => {
    assert.ok(isCodedError(error, 'llm_unavailable'));
    assert.match(error.message, /level 1: its weights lie in main memory, which is not freed/);
    return true;
  });
  await until('it to be looked at since', () => {
    const paths = server.paths();
    return paths.slice(paths.lastIndexOf('POST /sleep?level=2&mode=wait')).length > 10;
  });
  limit.abort();
  await release;
  await engine.bring(never);
  assert.equal((await ask(server.url, { model: 'small' })).status, 200);
});

test('llama-server with one model cannot; asleep it is left asleep, and woken when it is wanted', async (t) => {
  const server = await started(t, new LlamaServer({ memoryMb: 2 }));
  const engine = await engineAt(server);
  const look = await engine.look(never);
  assert.deepEqual([look.state, look.running, look.statedBytes], ['ready', null, 2 * MIB]);
  assert.deepEqual(engine.ways, []);
  assert.match(engine.cannot ?? '', /keeps it: start it without a model \(router mode\)/);
  server.asleep.add('small');
  for (let again = 0; again < 3; again += 1) assert.equal((await engine.look(never)).state, 'asleep');
  assert.deepEqual([...server.asleep], ['small'], 'looking wakes nobody');
  await engine.bring(never);
  assert.equal((await engine.look(never)).state, 'ready');
});

test('llama-server as a router: sleepers are unloaded and woken, a process that dies is told', async (t) => {
  const server = await started(t, new LlamaServer({ isRouter: true }));
  const engine = await engineAt(server);
  await engine.bring(never, 'small');
  server.asleep.add('small');
  assert.equal((await engine.look(never)).state, 'asleep');
  await engine.bring(never, 'small');
  assert.equal((await engine.look(never)).state, 'ready');
  server.asleep.add('small');
  await engine.release('unload', never);
  assert.equal(server.loaded.size, 0);
  server.fetched.set('large', 'downloading');
  assert.equal(
    (await engine.look(never)).state,
    'unloaded',
    'what is on its way to the disk is not in memory',
  );
  server.dying.add('large');
  await assert.rejects(engine.bring(never, 'large'), /large.* ended with exit code 1/);
});

test('lm-studio: each instance is unloaded by its own name, and what talks comes before what embeds', async (t) => {
  const server = await started(t, new LmStudioServer({ models: ['embed-text', 'talks'], memoryMb: 2 }));
  const engine = await engineAt(server);
  await engine.bring(never);
  assert.deepEqual(server.instancesOf('talks'), ['talks:1']);
  await fetch(`${server.url}/api/v1/models/load`, {
    method: 'POST',
    body: JSON.stringify({ model: 'talks' }),
  });
  assert.equal((await engine.look(never)).statedBytes, 4 * MIB);
  await engine.release('unload', never);
  assert.equal(server.loaded.size, 0);
});

test('localai: "still busy" is no success; an old one loads by a word of work', async (t) => {
  const server = await started(t, new LocalAiServer({ graceMs: 30 }));
  const engine = await engineAt(server);
  await engine.bring(never, 'small');
  const answer = ask(server.url, { model: 'small', wait_ms: 500 });
  await until('the request to run', () => server.running.get('small') === 1);
  await assert.rejects(engine.release('unload', never), /still busy/);
  assert.equal((await answer).status, 200);
  await engine.release('unload', never);
  server.isOld = true;
  await engine.bring(never, 'large');
  assert.deepEqual([...server.loaded.keys()], ['large']);
});

test('another server on the same port is known anew where the kind was guessed, and told where it was set', async (t) => {
  const first = await started(t, new OllamaServer());
  const guessed = await engineAt(first);
  const set = await engineAt(first, 'ollama');
  const { port } = new URL(first.url);
  await first.stop();
  const second = new LlamaSwapServer();
  await second.start(Number(port));
  t.after(() => second.stop());
  assert.match((await set.look(never)).detail, /does not answer as ollama does \(JPRIME_LLM_KIND\)/);
  await guessed.look(never);
  assert.equal((await guessed.look(never)).state, 'unloaded');
  assert.match(guessed.name, /^llama-swap at /);
});
