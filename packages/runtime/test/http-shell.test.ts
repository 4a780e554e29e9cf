// The HTTP shell over real sockets: who is kept out, what each kind of mistake is answered with, what is documented.
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { CodedError, type ErrorCode, problemSchema } from '@jarvis/contracts';
import { pino } from 'pino';
import { z } from 'zod';
import type { HttpServer, HttpShellOptions } from '../src/index.ts';
import { type Answer, type Call, startShell } from './shell.ts';

const TOKEN = 'a-token-of-some-length';
const JSON_BODY = { 'content-type': 'application/json' };
const echoSchema = z.object({
  name: z.string().min(2),
  items: z.array(z.object({ n: z.int() })).default([]),
});

function addRoutes(server: HttpServer): void {
  server.get('/health', async () => ({ status: 'healthy' }));
  server.get('/things/:id', { schema: { params: z.object({ id: z.string() }) } }, async (req) => req.params);
  server.post(
    '/echo',
    { schema: { summary: 'Says it again', body: echoSchema, response: { 200: echoSchema } } },
    async (req) => req.body,
  );
  server.get(
    '/list',
    { schema: { querystring: z.object({ limit: z.coerce.number().max(10) }) } },
    async (r) => r.query,
  );
  server.get('/bug', async () => {
    throw new Error('the secret recipe');
  });
  server.get('/busy', async () => {
    throw new CodedError('slot_busy', 'a job is running', {
      active_job_id: 'job-1',
      retry_after_seconds: 2.2,
    });
  });
  server.get('/wrong-answer', { schema: { response: { 200: echoSchema } } }, async () => ({
    name: 'x',
    items: [],
  }));
}

async function start(
  t: TestContext,
  options: Partial<HttpShellOptions> = {},
): Promise<(c: Call) => Promise<Answer>> {
  return (await startShell(t, addRoutes, options)).call;
}

function assertProblem(answer: Answer, status: number, code: ErrorCode): void {
  assert.equal(answer.status, status, answer.body);
  assert.equal(answer.headers['content-type'], 'application/problem+json; charset=utf-8');
  const problem = problemSchema.parse(answer.json);
  assert.equal(problem.code, code);
  assert.equal(problem.status, status);
  assert.equal(problem.type, `urn:jarvis:error:${code}`);
  assert.equal(problem.error, problem.detail);
}

test('a Host header of another machine is refused: a page cannot rebind its name to this one', async (t) => {
  const call = await start(t);
  for (const host of [
    'evil.example',
    'evil.example:80',
    '10.0.0.1:5001',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
  ])
    assertProblem(await call({ path: '/things/1', headers: { host } }), 403, 'host_not_allowed');
  for (const host of ['localhost:1', '127.0.0.1', '[::1]:5001', 'LOCALHOST'])
    assert.equal((await call({ path: '/things/1', headers: { host } })).status, 200, host);
});

test('the address that is listened on is allowed; where all are, a token stands guard and any name is', async (t) => {
  const one = await start(t, { host: '192.168.1.20', token: TOKEN });
  const authorization = `Bearer ${TOKEN}`;
  const ask = (call: (c: Call) => Promise<Answer>, host: string) =>
    call({ path: '/things/1', headers: { host, authorization } });
  assert.equal((await ask(one, '192.168.1.20:5001')).status, 200);
  assertProblem(await ask(one, '192.168.1.21:5001'), 403, 'host_not_allowed');
  for (const host of ['0.0.0.0', '::']) {
    const all = await start(t, { host, token: TOKEN });
    assert.equal((await ask(all, '192.168.1.20:5001')).status, 200, host);
    assertProblem(await all({ path: '/things/1', headers: { host: 'mybox:5001' } }), 401, 'unauthorized');
  }
});

test('a page of another origin is refused, whichever way its browser says so', async (t) => {
  const call = await start(t);
  const post = (headers: Record<string, string>) =>
    call({ method: 'POST', path: '/echo', headers: { ...JSON_BODY, ...headers }, body: '{"name":"ab"}' });
  for (const origin of ['https://evil.example', 'null', 'http://localhost:3000', 'not a url'])
    assertProblem(await post({ host: 'localhost:5001', origin }), 403, 'host_not_allowed');
  assertProblem(await post({ 'sec-fetch-site': 'cross-site' }), 403, 'host_not_allowed');
  assert.equal(
    (await post({ host: 'localhost:5001', origin: 'http://localhost:5001', 'sec-fetch-site': 'same-origin' }))
      .status,
    200,
  );
});

test('with a token every path but health needs it, unknown ones too', async (t) => {
  const call = await start(t, { token: TOKEN });
  assert.equal((await call({ path: '/health' })).status, 200);
  for (const path of ['/things/1', '/openapi.json', '/no-such-path'])
    assertProblem(await call({ path }), 401, 'unauthorized');
  for (const authorization of [
    'Bearer wrong',
    `Bearer ${TOKEN}x`,
    `Bearer ${TOKEN.toUpperCase()}`,
    TOKEN,
    '',
  ])
    assertProblem(await call({ path: '/things/1', headers: { authorization } }), 401, 'unauthorized');
  assert.equal(
    (await call({ path: '/things/1', headers: { authorization: `Bearer ${TOKEN}` } })).status,
    200,
  );
});

test('each kind of bad body has its own code', async (t) => {
  const call = await start(t);
  const post = (body: string, headers: Record<string, string> = JSON_BODY) =>
    call({ method: 'POST', path: '/echo', headers, body });
  assertProblem(await post('{"name":'), 400, 'malformed_json');
  assertProblem(await post(''), 400, 'malformed_json');
  assertProblem(await post('{"name":"ab","__proto__":{"x":1}}'), 400, 'malformed_json');
  assertProblem(await post(JSON.stringify({ name: 'a'.repeat(10_001) })), 413, 'body_too_large');
  assertProblem(await post('<a/>', { 'content-type': 'text/xml' }), 415, 'unsupported_media_type');
  assertProblem(
    await post('name=ab', { 'content-type': 'application/x-www-form-urlencoded' }),
    415,
    'unsupported_media_type',
  );
  assert.equal((await post('{"name":"ab"}')).status, 200);
});

test('a body that does not fit names each field that is wrong', async (t) => {
  const call = await start(t);
  const body = JSON.stringify({ name: 'a', items: [{ n: 1 }, { n: 'two' }] });
  const answer = await call({ method: 'POST', path: '/echo', headers: JSON_BODY, body });
  assertProblem(answer, 400, 'invalid_request');
  const { issues, detail } = problemSchema.parse(answer.json);
  assert.deepEqual(
    issues?.map((i) => i.path),
    ['body.name', 'body.items.1.n'],
  );
  assert.match(detail, /body\.items\.1\.n: /);
  assertProblem(await call({ method: 'POST', path: '/echo' }), 400, 'invalid_request');
  const query = await call({ path: '/list?limit=11' });
  assertProblem(query, 400, 'invalid_request');
  assert.deepEqual(
    problemSchema.parse(query.json).issues?.map((i) => i.path),
    ['querystring.limit'],
  );
});

test('what is not there is not_found; a path that cannot be read is an invalid request', async (t) => {
  const call = await start(t);
  assertProblem(await call({ path: '/no/such?secret=1' }), 404, 'not_found');
  assertProblem(await call({ method: 'DELETE', path: '/echo' }), 404, 'not_found');
  assertProblem(await call({ path: '/things/%E0%A4%A' }), 400, 'invalid_request');
  assert.ok(!(await call({ path: '/no/such?secret=1' })).body.includes('secret'));
});

test('an unknown error becomes internal: the client sees no more, the log keeps the cause', async (t) => {
  const lines: string[] = [];
  const logger = pino({ level: 'info' }, { write: (line: string) => void lines.push(line) });
  const call = await start(t, { logger });
  for (const path of ['/bug', '/wrong-answer']) {
    const answer = await call({ path });
    assertProblem(answer, 500, 'internal');
    assert.ok(!answer.body.includes('secret recipe'), answer.body);
  }
  assert.ok(lines.some((line) => line.includes('the secret recipe') && line.includes('/bug')));
});

test('an error carries its details, and Retry-After in whole seconds', async (t) => {
  const call = await start(t);
  const answer = await call({ path: '/busy' });
  assertProblem(answer, 503, 'slot_busy');
  assert.equal(answer.headers['retry-after'], '3');
  assert.deepEqual([answer.json['active_job_id'], answer.json['retry_after_seconds']], ['job-1', 2.2]);
});

test('openapi.json lists the routes, what they take and answer, and the shape of errors', async (t) => {
  const call = await start(t);
  const document = (await call({ path: '/openapi.json' })).json as {
    openapi: string;
    paths: Record<
      string,
      Record<string, { summary?: string; requestBody?: unknown; responses: Record<string, unknown> }>
    >;
    components: { schemas: Record<string, { properties: object }> };
  };
  assert.match(document.openapi, /^3\.1/);
  assert.deepEqual(Object.keys(document.paths).toSorted(), [
    '/bug',
    '/busy',
    '/echo',
    '/health',
    '/list',
    '/things/{id}',
    '/wrong-answer',
  ]);
  const echo = document.paths['/echo']?.['post'];
  assert.equal(echo?.summary, 'Says it again');
  assert.ok(echo.requestBody !== undefined);
  assert.match(JSON.stringify(echo.responses['200']), /"items"/);
  assert.match(
    JSON.stringify(echo.responses['default']),
    /application\/problem\+json.*#\/components\/schemas\/Problem/,
  );
  const { properties } = document.components.schemas['Problem'] ?? { properties: {} };
  assert.deepEqual(Object.keys(properties).toSorted(), [
    'active_job_id',
    'code',
    'detail',
    'error',
    'issues',
    'retry_after_seconds',
    'status',
    'title',
    'type',
  ]);
});

test('a server that closes lets the answer under way be sent', async (t) => {
  const entered = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  const shell = await startShell(t, (server) => {
    server.get('/slow', async () => {
      entered.resolve();
      await goOn.promise;
      return { done: true };
    });
  });
  const answer = shell.call({ path: '/slow', headers: { connection: 'keep-alive' } });
  await entered.promise;
  const closed = shell.server.close();
  setImmediate(() => goOn.resolve());
  const { json, headers } = await answer;
  assert.deepEqual(json, { done: true });
  assert.equal(headers['connection'], 'close', 'the client may not keep the server from closing');
  await closed;
});
