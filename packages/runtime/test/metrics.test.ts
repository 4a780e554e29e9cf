// Metrics over real HTTP: what is counted, what is read at a scrape, what a reader that fails does to the rest.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test, type TestContext } from 'node:test';
import { METRICS } from '@jarvis/contracts';
import { sampleOf, until } from '@jarvis/testkit';
import { z } from 'zod';
import { Meter, sendSse, type SseMessage } from '../src/index.ts';
import { type Shell, startShell } from './shell.ts';

async function start(t: TestContext, meter = new Meter(), token: string | null = null): Promise<Shell> {
  return startShell(
    t,
    (server) => {
      const params = z.object({ id: z.string() });
      server.get('/things/:id', { schema: { params } }, async (req) => req.params);
      server.get('/bug', async () => {
        throw new Error('broken');
      });
    },
    { meter, token },
  );
}

async function scrape(shell: Shell): Promise<string> {
  const answer = await shell.call({ path: '/metrics' });
  assert.equal(answer.status, 200);
  assert.match(String(answer.headers['content-type']), /^text\/plain; version=0\.0\.4/);
  return answer.body;
}

test('requests are counted by route, method and class of status, never by the path itself', async (t) => {
  const shell = await start(t);
  for (const id of ['a', 'b', 'c']) await shell.call({ path: `/things/${id}` });
  await shell.call({ path: '/bug' });
  await shell.call({ path: '/nothing/of/the/kind' });
  // The answer may be there before it is counted.
  const text = await until('the last request to be counted', async () => {
    const now = await scrape(shell);
    return now.includes('unmatched') ? now : null;
  });
  const requests = (labels: string): number | null =>
    sampleOf(text, `jarvis_http_requests_total{method="GET",${labels}}`);
  assert.equal(requests('route="/things/:id",status="2xx"'), 3);
  assert.equal(requests('route="/bug",status="5xx"'), 1);
  assert.equal(requests('route="unmatched",status="4xx"'), 1);
  assert.ok(!text.includes('/things/a'));
  const duration = 'jarvis_http_request_duration_seconds';
  const things = 'method="GET",route="/things/:id"';
  assert.equal(sampleOf(text, `${duration}_count{${things}}`), 3);
  assert.equal(sampleOf(text, `${duration}_bucket{${things},le="+Inf"}`), 3);
  assert.ok((sampleOf(text, `${duration}_sum{${things}}`) ?? 0) > 0);
});

test('a histogram is cumulative, and every bound belongs to its own bucket', async (t) => {
  const meter = new Meter();
  const shell = await start(t, meter);
  const name = 'jarvis_store_transaction_duration_seconds';
  for (const seconds of [0.0005, 0.0007, 0.002, 100]) meter.observe(name, {}, seconds);
  const text = await scrape(shell);
  assert.deepEqual(
    ['0.0005', '0.001', '0.005', '5', '+Inf'].map((le) => sampleOf(text, `${name}_bucket{le="${le}"}`)),
    [1, 2, 3, 3, 4],
  );
  assert.equal(sampleOf(text, `${name}_count`), 4);
});

test('what is read and what is counted adds up, and a reader that fails leaves the others', async (t) => {
  const meter = new Meter();
  const shell = await start(t, meter);
  meter.count('jarvis_drop_files_total', { outcome: 'taken' }, 2);
  meter.read(() => {
    throw new Error('the store is away');
  });
  meter.read(async (put) => put('jarvis_outbox_pending', {}, 7));
  const text = await scrape(shell);
  assert.equal(sampleOf(text, 'jarvis_drop_files_total{outcome="taken"}'), 2);
  assert.equal(sampleOf(text, 'jarvis_outbox_pending'), 7);
  assert.equal(sampleOf(text, 'jarvis_metrics_readers_failed'), 1);
});

test('a metric of another service is not told, and every one of this service has its meaning', async (t) => {
  const text = await scrape(await start(t));
  const told = new Set([...text.matchAll(/^# TYPE (\S+) \S+$/gm)].map(([, name]) => name));
  const declared = Object.entries(METRICS).filter(([, m]) => m.services.some((s) => s === 'jarvis-core'));
  assert.deepEqual(told.size, declared.length);
  for (const [name] of declared) assert.ok(told.has(name), name);
  for (const name of told) assert.match(text, new RegExp(`^# HELP ${name} \\S`, 'm'));
});

test('labels without bounds end in one series', async (t) => {
  const meter = new Meter();
  for (let n = 0; n < 5_000; n += 1) meter.count('jarvis_drop_files_total', { outcome: `o${n}` });
  const text = await scrape(await start(t, meter));
  assert.equal(text.match(/^jarvis_drop_files_total\{/gm)?.length, 1_001);
  assert.equal(sampleOf(text, 'jarvis_drop_files_total{outcome="other"}'), 4_000);
});

test('a stream is a follower while it is open, and no request that took long', async (t) => {
  const ended = Promise.withResolvers<void>();
  const shell = await startShell(t, (server) => {
    server.get('/stream', (_req, reply) => sendSse(reply, untilEnded(ended.promise)));
  });
  const followers = 'jarvis_event_stream_followers{route="/stream"}';
  const response = await fetch(`${shell.url}/stream`);
  assert.equal(sampleOf(await scrape(shell), followers), 1);
  ended.resolve();
  assert.match(await response.text(), /event: last/);
  const counted = 'jarvis_http_requests_total{method="GET",route="/stream",status="2xx"}';
  const text = await until('the stream to be over', async () => {
    const now = await scrape(shell);
    return sampleOf(now, counted) === 1 ? now : null;
  });
  assert.equal(sampleOf(text, followers), null);
  assert.ok(!text.includes('jarvis_http_request_duration_seconds_count{method="GET",route="/stream"}'));
});

async function* untilEnded(ended: Promise<void>): AsyncGenerator<SseMessage> {
  yield { id: '1', event: 'first', data: {} };
  await ended;
  yield { id: '2', event: 'last', data: {} };
}

test('with a token only who has it may scrape', async (t) => {
  const token = 'a-token-of-some-length';
  const shell = await start(t, new Meter(), token);
  assert.equal((await shell.call({ path: '/metrics' })).status, 401);
  const headers = { authorization: `Bearer ${token}` };
  assert.equal((await shell.call({ path: '/metrics', headers })).status, 200);
});

test('until somebody scrapes nothing of prom-client is loaded', () => {
  const child = new URL('children/meters.ts', import.meta.url).pathname;
  const { stdout, status, stderr } = spawnSync(process.execPath, [child], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  assert.deepEqual(JSON.parse(stdout), { before: false, after: true });
});
