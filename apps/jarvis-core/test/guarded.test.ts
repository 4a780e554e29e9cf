// Strangers are kept out: other names in the Host header, pages of other origins, callers without the token.
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { test } from 'node:test';
import { type Problem, problemSchema } from '@jarvis/contracts';
import { Client, commands } from './client.ts';
import { makeWorld, spawnCore, startCore } from './world.ts';

const TOKEN = 'a-secret-of-more-than-16-characters';

/** A request with headers that fetch would not let through. */
function send(url: string, headers: Record<string, string>): Promise<{ status: number; body: unknown }> {
  return new Promise((resolve, reject) => {
    const req = request(`${url}/api/jobs`, { headers }, (res) => {
      const chunks: Buffer[] = [];
      res.on('data', (chunk: Buffer) => chunks.push(chunk));
      res.once('end', () => {
        const body: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'));
        resolve({ status: res.statusCode ?? 0, body });
      });
    });
    req.once('error', reject).end();
  });
}

test('a Host header with another name, and a page of another origin, are refused', async (t) => {
  const core = await startCore(await makeWorld(t));
  const { host, port } = new URL(core.url);
  const strangers: Record<string, string>[] = [
    { host: 'evil.example' },
    { host: `evil.example:${port}` },
    { host: `127.0.0.1.evil.example:${port}` },
    { host, origin: 'https://evil.example' },
    { host, origin: 'http://127.0.0.1:1' },
    { host, origin: 'null' },
    { host, 'sec-fetch-site': 'cross-site' },
  ];
  for (const headers of strangers) {
    const { status, body } = await send(core.url, headers);
    assert.equal(status, 403, JSON.stringify(headers));
    assert.equal(problemSchema.parse(body).code, 'host_not_allowed');
  }
  for (const headers of [
    { host },
    { host: `localhost:${port}` },
    { host: `[::1]:${port}` },
    { host, origin: core.url },
  ])
    assert.equal((await send(core.url, headers)).status, 200, JSON.stringify(headers));
});

test('what a page may send without asking (a form, text) stores nothing', async (t) => {
  const core = await startCore(await makeWorld(t));
  const body = JSON.stringify({ experiences: commands(1) });
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x'])
    await core.refused('unsupported_media_type', 'POST', '/api/experiences', body, { 'content-type': type });
  assert.equal(await core.count(), 0);
});

test('with a token, every call needs it but the health; the secret is in no log and no answer', async (t) => {
  const world = await makeWorld(t, { JARVIS_API_TOKEN: TOKEN, JARVIS_LOG_LEVEL: 'trace' });
  const core = await spawnCore(world);
  await core.store(commands(1));
  const answers: Problem[] = [];
  for (const token of [null, 'wrong', `${TOKEN}x`, TOKEN.slice(1)]) {
    const stranger = new Client(core.url, token);
    for (const [method, path] of [
      ['GET', '/api/jobs'],
      ['GET', '/openapi.json'],
      ['GET', '/api/invariants'],
      ['GET', '/api/nothing'],
      ['POST', '/api/shutdown'],
    ] as const) {
      const problem = await stranger.refused('unauthorized', method, path);
      assert.equal(problem.status, 401);
      answers.push(problem);
    }
    assert.equal((await stranger.health()).service, 'jarvis-core');
  }
  await core.refused('malformed_json', 'POST', '/api/experiences', '{');
  await world.prime.stop();
  await core.refused('service_unavailable', 'POST', '/api/command', { text: 'hello' });
  assert.equal(await core.count(), 1);
  assert.ok(!JSON.stringify(answers).includes(TOKEN));
  await core.kill();
  assert.match(core.output(), /JARVIS Core is ready/);
  assert.ok(!core.output().includes(TOKEN), 'the log has the secret');
});

test('to listen elsewhere than on loopback needs a token, and without one nothing starts', async (t) => {
  const world = await makeWorld(t, { JARVIS_HOST: '0.0.0.0' });
  await assert.rejects(spawnCore(world), /JARVIS_HOST: listening on 0\.0\.0\.0 needs JARVIS_API_TOKEN/);
});
