// Calls to another service that goes away, comes back, answers with errors or not at all: real sockets throughout.
import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { test, type TestContext } from 'node:test';
import { ReturningServer, until } from '@jarvis/testkit';
import { z } from 'zod';
import {
  createServiceClient,
  Meter,
  type Reachability,
  type ServiceClient,
  systemClock,
} from '../src/index.ts';

const answerSchema = z.object({ ok: z.boolean() });
const TIMEOUT_MS = 300;
const LONG_MS = 60_000;

/** Answers, loses its answers, says nothing, or refuses. */
class Fickle extends ReturningServer {
  mode: 'answers' | 'breaks_off' | 'silent' | 'refuses' = 'answers';
  /** So many requests are broken off before the mode counts. */
  breaksOffFirst = 0;
  readonly #held: ServerResponse[] = [];
  readonly seen: { method: string; headers: IncomingMessage['headers'] }[] = [];

  protected async answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    this.seen.push({ method: req.method ?? '', headers: req.headers });
    req.resume();
    if (this.seen.length <= this.breaksOffFirst) return void res.destroy();
    if (this.mode === 'silent') return void this.#held.push(res);
    if (this.mode === 'breaks_off') return void res.destroy();
    const status = this.mode === 'refuses' ? 404 : 200;
    res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ ok: true }));
  }

  /** Those who hear nothing hear now that nothing will come. */
  breakOff(): void {
    for (const res of this.#held.splice(0)) res.destroy();
  }
}

interface Setup {
  readonly server: Fickle;
  readonly client: ServiceClient;
  readonly meter: Meter;
}

async function setUp(t: TestContext, retries = 0): Promise<Setup> {
  const server = new Fickle();
  await server.start();
  const meter = new Meter();
  const client = createServiceClient({
    name: 'Reactor Core',
    baseUrl: server.url,
    timeoutMs: TIMEOUT_MS,
    retries,
    retryDelayMs: 5,
    token: null,
    clock: systemClock,
    metered: { meter, peer: 'reactor-core' },
  });
  t.after(() => client.close());
  t.after(() => server.stop());
  return { server, client, meter };
}

const away = { code: 'service_unavailable' };

function outcomes(meter: Meter): Record<string, number> {
  const series = meter.counted().get('jarvis_peer_calls_total') ?? [];
  return Object.fromEntries(series.map(({ labels, value }) => [labels['outcome'], value]));
}

async function failing(client: ServiceClient, calls: number): Promise<void> {
  for (let n = 0; n < calls; n += 1) await assert.rejects(client.post('/x', {}, answerSchema), away);
}

test('the breaker opens after failures in a row, lets one call through, and closes with its answer', async (t) => {
  const { server, client, meter } = await setUp(t);
  server.mode = 'breaks_off';
  await failing(client, 4);
  assert.equal(client.reachability().breaker, 'closed');
  await failing(client, 1);
  const open = client.reachability();
  assert.deepEqual([open.breaker, open.reachable, open.consecutive_failures], ['open', false, 5]);
  assert.match(open.last_error ?? '', /Reactor Core does not answer at http/);
  await assert.rejects(client.post('/x', {}, answerSchema), /was away a moment ago/);
  assert.equal(server.seen.length, 5, 'nothing is sent while it is open');

  server.mode = 'silent';
  const trial = until('a call to be let through', async () => {
    const before = server.seen.length;
    await client.post('/x', {}, answerSchema, { timeoutMs: LONG_MS }).catch(() => undefined);
    return server.seen.length > before;
  });
  const half = await until('it to be half open', () =>
    client.reachability().breaker === 'half_open' ? client.reachability() : null,
  );
  assert.equal(half.reachable, false);
  server.breakOff();
  await trial;
  assert.equal(client.reachability().breaker, 'open', 'the call that was let through had no answer');

  server.mode = 'answers';
  await until('an answer', () =>
    client.post('/x', {}, answerSchema).then(
      () => true,
      () => false,
    ),
  );
  const closed = client.reachability();
  assert.deepEqual(
    [closed.breaker, closed.reachable, closed.consecutive_failures, closed.detail],
    ['closed', true, 0, 'answers'],
  );
  assert.ok(closed.last_error !== null, 'what went wrong last is still known');
  const counted = outcomes(meter);
  assert.deepEqual([counted['unanswered'], counted['answered']], [6, 1]);
  assert.ok((counted['not_sent'] ?? 0) >= 1);
});

test('since when it has been away, or there, is told, and does not move while that is so', async (t) => {
  const { server, client } = await setUp(t);
  const never = client.reachability();
  assert.deepEqual([never.reachable, never.detail], [false, 'has not been called yet']);
  const call = async (): Promise<Reachability> => {
    await client.get('/x', answerSchema, { once: true }).catch(() => undefined);
    return client.reachability();
  };
  const there = await call();
  assert.ok(Date.parse(there.since) >= Date.parse(never.since));
  assert.equal((await call()).since, there.since);
  await server.stop();
  const gone = await call();
  assert.ok(Date.parse(gone.since) >= Date.parse(there.since));
  assert.equal((await call()).since, gone.since);
  assert.equal((await call()).consecutive_failures, 3);
  await server.start();
  assert.equal((await call()).reachable, true);
});

test('a POST that may not be repeated is sent once, whatever becomes of its answer', async (t) => {
  const { server, client } = await setUp(t, 3);
  for (const mode of ['breaks_off', 'silent'] as const) {
    server.mode = mode;
    server.seen.length = 0;
    await assert.rejects(client.post('/x', {}, answerSchema), away);
    assert.equal(server.seen.length, 1, mode);
  }
});

test('a GET, a repeatable POST and one with an Idempotency-Key are sent again, under the same key', async (t) => {
  const calls: ((client: ServiceClient) => Promise<unknown>)[] = [
    (client) => client.get('/x', answerSchema),
    (client) => client.post('/x', {}, answerSchema, { repeatable: true }),
    (client) => client.post('/x', {}, answerSchema, { headers: { 'Idempotency-Key': 'batch-1' } }),
  ];
  for (const call of calls) {
    const { server, client } = await setUp(t, 3);
    server.mode = 'breaks_off';
    await assert.rejects(call(client), away);
    assert.equal(server.seen.length, 4, 'once and three times again');
    assert.equal(new Set(server.seen.map(({ headers }) => headers['idempotency-key'])).size, 1);
  }
});

test('a call that is repeated succeeds when the other one is back meanwhile', async (t) => {
  const { server, client, meter } = await setUp(t, 3);
  server.breaksOffFirst = 2;
  assert.deepEqual(await client.get('/x', answerSchema), { ok: true });
  assert.deepEqual(outcomes(meter), { unanswered: 2, answered: 1 });
});

test('an error that was answered is not repeated, is no failure, and ends a row of them', async (t) => {
  const { server, client, meter } = await setUp(t, 3);
  server.mode = 'refuses';
  await assert.rejects(client.get('/x', answerSchema), { code: 'not_found' });
  assert.equal(server.seen.length, 1);
  assert.equal(client.reachability().reachable, true);
  for (let round = 0; round < 3; round += 1) {
    server.mode = 'breaks_off';
    await failing(client, 4);
    server.mode = 'refuses';
    await assert.rejects(client.post('/x', {}, answerSchema), { code: 'not_found' });
  }
  assert.equal(client.reachability().breaker, 'closed');
  assert.equal(outcomes(meter)['refused'], 4);
});

test('a call with `once` goes past an open breaker: a probe has to be able to see', async (t) => {
  const { server, client } = await setUp(t);
  server.mode = 'breaks_off';
  await failing(client, 5);
  server.mode = 'answers';
  assert.deepEqual(await client.get('/x', answerSchema, { once: true }), { ok: true });
  assert.deepEqual(
    [client.reachability().reachable, client.reachability().breaker],
    [true, 'open'],
    'only a call that it guards closes it',
  );
});

test('silence ends with the time limit of the call', async (t) => {
  const { server, client } = await setUp(t);
  server.mode = 'silent';
  await assert.rejects(client.get('/x', answerSchema, { timeoutMs: 20 }), {
    ...away,
    message: /aborted due to timeout/,
  });
});
