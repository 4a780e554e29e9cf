// What holds for every kind of server that is there already, each against a fixture that behaves, and misbehaves, as it does.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isCodedError, LLM_SERVER_KINDS } from '@jarvis/contracts';
import { MODEL_SERVERS, type ServerManner, until, VllmServer } from '@jarvis/testkit';
import { engineAt, never, started } from './engine-at.ts';

const UNLOAD_MS = 150;
const KEY = 'sesame-sesame';
/** Asked of a llama-server these wake it, or keep it awake. */
const WAKING = /^GET \/(slots|metrics)/;
const STATES: Readonly<Record<Exclude<ServerManner, 'well' | 'hangs'>, readonly string[]>> = {
  half: ['away'],
  text: ['broken'],
  odd: ['broken'],
  endless: ['broken'],
  loading: ['loading'],
  fails: ['broken'],
};

function isUnavailable(pattern: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(isCodedError(error, 'llm_unavailable'), String(error));
    assert.match(error.message, pattern);
    assert.ok(!error.message.includes(KEY));
    return true;
  };
}

for (const kind of LLM_SERVER_KINDS) {
  const make = MODEL_SERVERS[kind];
  const asleep = kind === 'vllm' ? 'asleep' : 'unloaded';

  test(`${kind}: it is known by its answers, and looking only reads`, async (t) => {
    const server = await started(t, make({}));
    const engine = await engineAt(server);
    const look = await engine.look(never);
    assert.equal(engine.name, `${kind} at ${server.url}`);
    assert.deepEqual(engine.ways, [kind === 'vllm' ? 'sleep' : 'unload']);
    assert.equal(engine.cannot, null);
    assert.equal(look.state, kind === 'vllm' ? 'ready' : 'unloaded', look.detail);
    assert.ok(look.models.includes('small'), look.models.join());
    await engine.look(never);
    for (const path of server.paths()) assert.match(path, /^GET /);
    if (kind === 'llama-server') for (const path of server.paths()) assert.doesNotMatch(path, WAKING);
  });

  test(`${kind}: what it gives back is gone when it is said to be, and that comes back`, async (t) => {
    const server = await started(t, make({ unloadMs: UNLOAD_MS, loadMs: 20 }));
    const engine = await engineAt(server);
    const models = kind === 'vllm' ? ['small'] : ['large'];
    if (kind !== 'vllm') await engine.bring(never, 'large');
    const held = (): string[] => [...server.loaded.keys()].map((id) => id.split(':')[0] ?? '');
    assert.deepEqual(held(), models);
    const ready = await engine.look(never);
    assert.equal(ready.state, 'ready', ready.detail);
    const [way = 'stop'] = engine.ways;
    await engine.release(way, never);
    assert.deepEqual(held(), [], 'not before it is gone');
    assert.equal((await engine.look(never)).state, asleep);
    await engine.bring(never);
    assert.deepEqual(held(), models, 'what was there last');
    const answer = await fetch(`${engine.baseUrl()}/v1/chat/completions`, {
      method: 'POST',
      body: JSON.stringify({ model: models[0] }),
    });
    assert.equal(answer.status, 200);
    await engine.bring(never, 'small');
    assert.deepEqual(held(), models, 'who is ready is not loaded once more');
  });

  // Of LM Studio nothing is written about it; J-Prime drains before in any case.
  if (kind !== 'lm-studio')
    test(`${kind}: a request under way is not cut off by giving back`, async (t) => {
      const server = await started(t, make({}));
      const engine = await engineAt(server);
      await engine.bring(never, 'small');
      const body = JSON.stringify({ model: 'small', wait_ms: 300 });
      const answer = fetch(`${engine.baseUrl()}/v1/chat/completions`, { method: 'POST', body });
      await until('the request to run', () => (server.running.get('small') ?? 0) > 0);
      await engine.release(engine.ways[0] ?? 'stop', never);
      assert.equal((await answer).status, 200);
      assert.equal(server.cutOff, 0);
    });

  test(`${kind}: one that is not there yet, goes and comes back`, async (t) => {
    const server = await started(t, make({}));
    await server.stop();
    for (const configured of [kind, null]) {
      const engine = await engineAt(server, configured);
      assert.equal((await engine.look(never)).state, 'away');
      assert.deepEqual(engine.ways, []);
      assert.match(engine.cannot ?? '', /not seen yet/);
      await assert.rejects(engine.bring(never), isUnavailable(/ECONNREFUSED/));
      await server.start();
      await engine.bring(never, 'small');
      assert.equal((await engine.look(never)).state, 'ready');
      await server.stop();
      assert.equal((await engine.look(never)).state, 'away');
      await assert.rejects(engine.release(engine.ways[0] ?? 'stop', never), isUnavailable(/ECONNREFUSED/));
    }
  });

  for (const [manner, states] of Object.entries(STATES))
    test(`${kind}: an answer that is no answer (${manner}) is a state, and passes`, async (t) => {
      const server = await started(t, make({}));
      const limits = { calls: { answerBytesMax: 100_000 } };
      const known = await engineAt(server, kind, limits);
      await known.bring(never, 'small');
      server.manner = manner as ServerManner;
      for (const engine of [known, await engineAt(server, null, limits)]) {
        const look = await engine.look(never);
        assert.ok(states.includes(look.state), `${look.state}: ${look.detail}`);
        if (look.state === 'broken') assert.match(look.detail, /JPRIME_LLM_KIND/);
      }
      server.manner = 'well';
      assert.equal((await known.look(never)).state, 'ready');
      assert.equal((await (await engineAt(server)).look(never)).state, 'ready');
    });

  test(`${kind}: one that hangs is busy for a while and then away, and holds nobody up`, async (t) => {
    const server = await started(t, make({}));
    const engine = await engineAt(server, kind);
    await engine.bring(never, 'small');
    const [way = 'stop'] = engine.ways;
    const hasty = await engineAt(server, kind, { calls: { lookLimitMs: 300 } });
    await until(
      'the fixture to be looked at in time',
      async () => (await hasty.look(never)).state === 'ready',
    );
    server.manner = 'hangs';
    const states = [];
    for (let look = 0; look < 3; look += 1) states.push((await hasty.look(never)).state);
    assert.deepEqual(states, ['ready', 'ready', 'away']);
    assert.equal(
      (await (await engineAt(server, null, { calls: { lookLimitMs: 50 } })).look(never)).state,
      'away',
    );
    const limit = AbortSignal.timeout(100);
    await assert.rejects(engine.release(way, limit), isUnavailable(/called off|does not say/));
  });

  test(`${kind}: one that gives nothing back is not believed, and one that goes away meanwhile neither`, async (t) => {
    const server = await started(t, make({ unloadMs: 60_000 }));
    const engine = await engineAt(server);
    await engine.bring(never, 'small');
    if (server instanceof VllmServer) server.onlyLevel1 = true;
    const [way = 'stop'] = engine.ways;
    await assert.rejects(
      engine.release(way, AbortSignal.timeout(700)),
      isUnavailable(/still does not say|called off/),
    );
    assert.equal(server.loaded.size, 1);
    const gone = engine.release(way, AbortSignal.timeout(700));
    await server.stop();
    await assert.rejects(gone, isUnavailable(/ECONNREFUSED|ECONNRESET|other side closed|called off|socket/));
  });

  test(`${kind}: the key is sent, asked for where it is missing, and never told`, async (t) => {
    const server = await started(t, make({ apiKey: KEY }));
    const without = await engineAt(server);
    const look = await without.look(never);
    assert.equal(look.state, 'broken');
    assert.match(look.detail, /401.*JPRIME_LLM_API_KEY/);
    await assert.rejects(without.bring(never), isUnavailable(/JPRIME_LLM_API_KEY/));
    const engine = await engineAt(server, null, { apiKey: KEY });
    assert.equal(engine.apiKey, KEY);
    await engine.bring(never, 'small');
    assert.equal((await engine.look(never)).state, 'ready');
  });
}
