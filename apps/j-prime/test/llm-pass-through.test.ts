// `/v1` through J-Prime to a real server process: bytes as they came, streams as they come, ends as they end.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { type IncomingMessage, request } from 'node:http';
import { test } from 'node:test';
import { sampleOf, until } from '@jarvis/testkit';
import { makeWorld, startPrime } from './harness.ts';
import { makeLlmWorld, post } from './llm-world.ts';

const MIB = 1024 ** 2;
const STILL_LOOKS = 25;

interface Echo {
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly bytes: number;
  readonly sha256: string;
}

test('a request is the demand: memory is asked for, the model loaded, the request answered', async (t) => {
  const world = await makeLlmWorld(t);
  const prime = await world.start();
  assert.equal((await prime.resources()).llm?.state, 'absent');
  const models = (await prime.call('GET', '/v1/models')).body as { data: unknown[] };
  assert.deepEqual(models.data, [], 'nothing was ever seen of it');
  assert.equal(world.engine.brought, 0, 'looking wakes nobody');

  const response = await post(prime, { tokens: 1 });
  assert.equal(response.status, 200);
  assert.equal(((await response.json()) as Echo).path, '/v1/chat/completions');
  const need = { ram_bytes: 4 * 1024 ** 3, vram_bytes: {} };
  assert.deepEqual(world.core.asked, [
    { holder: 'llm', model_type: 'llm', purpose: 'serving', need, why: 'request' },
  ]);
  await until('the lease to be given back', () => world.core.last?.state === 'released');

  const { llm, memory_usage_gb: gb, active_requests: active } = await prime.resources();
  assert.ok(llm !== null && llm.measured_bytes !== null);
  assert.deepEqual([llm.state, llm.running, llm.waiting_requests, active], ['ready', 0, 0, 0]);
  assert.ok(llm.measured_bytes > 64 * MIB && llm.measured_bytes < 250 * MIB, `${llm.measured_bytes}`);
  assert.ok(gb * 1024 ** 3 > llm.measured_bytes, 'its memory counts as ours');
  assert.deepEqual(llm.pids, await world.engine.pids());
  for (const path of ['/v1/completions', '/v1/embeddings'])
    assert.equal(((await prime.call('POST', path, { tokens: 1 })).body as Echo).path, path);
  const text = await (await fetch(`${prime.url}/metrics`)).text();
  assert.equal(sampleOf(text, 'jarvis_prime_llm_state{state="ready"}'), 1);
  assert.equal(sampleOf(text, 'jarvis_prime_llm_loads_total{outcome="ready"}'), 1);
});

test('bytes and headers: the body as it came, the key of the server, never our token', async (t) => {
  const token = 'a token of sixteen or more';
  const world = await makeLlmWorld(t, { JARVIS_API_TOKEN: token }, { apiKey: 'key of the server' });
  const prime = await world.start();
  const body = `{ "tokens": 1,   "odd": "${'ä'.repeat(50_000)}" }`;
  const headers = {
    'content-type': 'application/json',
    authorization: `Bearer ${token}`,
    'x-mine': 'yes',
    connection: 'keep-alive, x-of-this-connection',
    'x-of-this-connection': 'no',
  };
  for (const text of [body, '{"tokens":1}']) {
    const echo = await new Promise<Echo>((resolve, reject) => {
      const req = request(`${prime.url}/v1/chat/completions`, { method: 'POST', headers }, (res) => {
        const chunks: Buffer[] = [];
        res.on('data', (chunk: Buffer) => chunks.push(chunk));
        res.on('end', () => resolve(JSON.parse(Buffer.concat(chunks).toString('utf8')) as Echo));
      });
      req.on('error', reject);
      req.end(text);
    });
    assert.equal(echo.sha256, createHash('sha256').update(text).digest('hex'));
    assert.equal(echo.headers['authorization'], 'Bearer key of the server');
    assert.equal(echo.headers['x-mine'], 'yes');
    assert.equal(echo.headers['x-of-this-connection'], undefined);
    assert.equal(echo.headers['host'], new URL(world.engine.url).host);
  }
  const state = await world.engine.state();
  assert.ok((state?.opened ?? 0) > 0);
  const refused = await post(prime, {});
  assert.equal(refused.status, 401, 'our own token is asked for');
});

test('a body over the limit is refused, announced or not', async (t) => {
  const world = await makeLlmWorld(t, { HTTP_BODY_LIMIT_MB: '0.2' });
  const prime = await world.start();
  await post(prime, {});
  const large = JSON.stringify({ text: 'x'.repeat(MIB / 4) });
  assert.equal((await post(prime, {}, { body: large })).status, 413);
  const pieces = new Blob([large]).stream();
  const response = await post(prime, {}, { body: pieces, duplex: 'half' });
  assert.equal(response.status, 413);
  assert.equal((await prime.resources()).llm?.running, 0);
});

test('a stream comes piece by piece, and counts as running until its end', async (t) => {
  const world = await makeLlmWorld(t);
  const prime = await world.start();
  const response = await post(prime, { stream: true, tokens: 2, gated: true });
  assert.equal(response.headers.get('x-fixture'), 'yes');
  assert.notEqual(response.headers.get('keep-alive'), 'timeout=60', 'of the connection to the server only');
  const reader = response.body?.getReader();
  assert.ok(reader !== undefined);
  const { llm, active_requests: active, idle_seconds: idle } = await prime.resources();
  assert.deepEqual([llm?.running, llm?.idle_seconds, active, idle], [1, 0, 1, 0]);
  const read = async (): Promise<string> => Buffer.from((await reader.read()).value ?? []).toString('utf8');
  await world.engine.tell('next');
  assert.equal(await read(), 'data: x\n\n', 'the second is not waited for');
  await world.engine.tell('next');
  let rest = '';
  for (let piece = await read(); piece !== ''; piece = await read()) rest += piece;
  assert.equal(rest, 'data: x\n\ndata: [DONE]\n\n');
  await until('it to have ended', async () => (await prime.resources()).llm?.running === 0);
  assert.ok(((await prime.resources()).llm?.idle_seconds ?? 99) < 10);
});

test('a client that hangs up cancels its request at the server', async (t) => {
  const world = await makeLlmWorld(t);
  const prime = await world.start();
  const leaves = new AbortController();
  const response = await post(prime, { stream: true, tokens: 5, gated: true }, { signal: leaves.signal });
  assert.equal(response.status, 200);
  leaves.abort();
  await until('the server to see it go', async () => (await world.engine.state())?.cancelled === 1);
  await until('it to be forgotten', async () => (await prime.resources()).llm?.running === 0);
  assert.equal((await post(prime, { tokens: 1 })).status, 200);
});

test('an answer that breaks off there breaks off here; nothing that looks like an end', async (t) => {
  const world = await makeLlmWorld(t);
  const prime = await world.start();
  const response = await post(prime, { stream: true, tokens: 5, breakAfter: 2 });
  assert.equal(response.status, 200);
  await assert.rejects(response.text());
  assert.equal((await post(prime, { tokens: 1 })).status, 200);
});

test('a slow reader slows the server down: what it has written is bounded', async (t) => {
  const world = await makeLlmWorld(t);
  const prime = await world.start();
  const leaves = new AbortController();
  const tokens = 2_000;
  const bytes = 64 * 1024;
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const url = `${prime.url}/v1/chat/completions`;
    const headers = { 'content-type': 'application/json' };
    const req = request(url, { method: 'POST', headers, signal: leaves.signal }, resolve);
    req.on('error', reject);
    req.end(JSON.stringify({ stream: true, tokens, bytes }));
  });
  response.on('error', () => undefined);
  let before = -1;
  let looks = 0;
  // A server that nobody holds back pauses too, but not for so many looks.
  const stoodStill = async (): Promise<boolean> => {
    const { written } = (await world.engine.state()) ?? { written: 0 };
    looks = written > 0 && written === before ? looks + 1 : 0;
    before = written;
    return looks >= STILL_LOOKS;
  };
  await until('the server to wait', stoodStill);
  assert.ok(before < (tokens * bytes) / 4, `${before} of ${tokens * bytes} bytes were written to nobody`);
  leaves.abort();
});

test('a server that died is seen, and the next request brings it back', async (t) => {
  const world = await makeLlmWorld(t);
  const prime = await world.start();
  assert.equal((await post(prime, {})).status, 200);
  await world.engine.release('stop');
  const response = await post(prime, {});
  assert.equal(response.status, 503);
  assert.equal(response.headers.get('retry-after'), '1');
  assert.equal(((await response.json()) as { code: string }).code, 'llm_unavailable');
  await until('it to be missed', async () => (await prime.resources()).llm?.state === 'absent');
  assert.match((await prime.resources()).llm?.reason ?? '', /away/);
  assert.equal((await prime.health()).status, 'healthy', 'absent is no fault');
  assert.equal((await post(prime, {})).status, 200);
  assert.equal(world.engine.brought, 2);
});

test('without an LLM server the calls say how to set one up', async () => {
  const prime = await startPrime(await makeWorld());
  for (const [method, path] of [
    ['POST', '/v1/chat/completions'],
    ['GET', '/v1/models'],
  ] as const) {
    const { status, body } = await prime.call(method, path, method === 'POST' ? {} : undefined);
    assert.equal(status, 404);
    assert.match((body as { detail: string }).detail, /JPRIME_LLM_URL/);
  }
  assert.equal((await prime.resources()).llm, null);
});
