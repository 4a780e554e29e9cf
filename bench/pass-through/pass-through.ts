// What J-Prime adds to a request to the LLM server behind it, and to each token of a stream, beside the server itself.
//   npm run bench:pass-through [-- --rounds N] [-- --requests N] [-- --save] [-- --json]
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { freePorts, until } from '@jarvis/testkit';
import { Pool } from 'undici';
import { end, untilLine } from '../shared/children.ts';
import { OUTPUT_OPTIONS, tell } from '../shared/output.ts';
import { describeSurroundings } from '../shared/surroundings.ts';
import { type Kind, reportOf, type Sample } from './figures.ts';

const SERVER = fileURLToPath(new URL('../../apps/j-prime/test/fixture-llm/server.ts', import.meta.url));
const PRIME = fileURLToPath(new URL('./prime.ts', import.meta.url));
const CHAT = '/v1/chat/completions';
const TOKENS = 200;
const STREAMS = 5;
const WARM_REQUESTS = 300;

type Times = Record<Kind, number[]>;

async function ask(pool: Pool, body: unknown): Promise<AsyncIterable<Buffer>> {
  const headers = { 'content-type': 'application/json' };
  const response = await pool.request({ path: CHAT, method: 'POST', headers, body: JSON.stringify(body) });
  if (response.statusCode !== 200) throw new Error(`${response.statusCode} ${await response.body.text()}`);
  return response.body as AsyncIterable<Buffer>;
}

async function timeRequest(pool: Pool, times: Times): Promise<void> {
  const from = performance.now();
  for await (const _ of await ask(pool, { tokens: 1 }));
  times.request.push(performance.now() - from);
}

/** Each token is let go by this process when the one before is here: what is timed is its way, not a queue. */
async function timeStream(pool: Pool, next: () => Promise<unknown>, times: Times): Promise<void> {
  const asked = performance.now();
  const body = await ask(pool, { stream: true, tokens: TOKENS, gated: true });
  let from = asked;
  let seen = 0;
  const goes = next();
  for await (const chunk of body) {
    const now = performance.now();
    times[seen === 0 ? 'first' : 'token'].push(now - from);
    seen += chunk.toString('latin1').split('data: x').length - 1;
    if (seen >= TOKENS) break;
    from = performance.now();
    await next();
  }
  await goes;
}

async function measure(pool: Pool, control: Pool, requests: number): Promise<Times> {
  const times: Times = { request: [], first: [], token: [] };
  const next = async (): Promise<unknown> =>
    (await control.request({ path: '/fixture/next', method: 'POST' })).body.dump();
  for (let i = 0; i < requests; i++) await timeRequest(pool, times);
  for (let i = 0; i < STREAMS; i++) await timeStream(pool, next, times);
  return times;
}

async function run(folder: string, rounds: number, requests: number): Promise<Sample[]> {
  const [serverPort, primePort] = await freePorts(2);
  const url = `http://127.0.0.1:${serverPort}`;
  const server = spawn(process.execPath, ['--expose-gc', SERVER, String(serverPort), '8'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await untilLine(server, (line) => line === 'ready');
  await fetch(`${url}/fixture/load`, { method: 'POST' });
  const env = {
    ...process.env,
    JARVIS_HOME: folder,
    JARVIS_PRIME_PORT: String(primePort),
    JARVIS_LOG_LEVEL: 'error',
  };
  const prime = spawn(process.execPath, [PRIME, url], { env, stdio: ['ignore', 'inherit', 'inherit'] });
  const through = `http://127.0.0.1:${primePort}`;
  const [ours, bare, control] = [through, url, url].map((base) => new Pool(base, { connections: 1 }));
  try {
    if (ours === undefined || bare === undefined || control === undefined) throw new Error('three pools');
    await until('J-Prime to answer', () =>
      fetch(`${through}/v1/models`).then(
        (r) => r.ok,
        () => false,
      ),
    );
    const samples: Sample[] = [];
    for (const pool of [ours, bare]) await measure(pool, control, WARM_REQUESTS);
    for (let round = 0; round < rounds; round++) {
      const first = await measure(round % 2 === 0 ? ours : bare, control, requests);
      const second = await measure(round % 2 === 0 ? bare : ours, control, requests);
      const [own, others] = round % 2 === 0 ? [first, second] : [second, first];
      for (const kind of ['request', 'first', 'token'] as const)
        samples.push({ kind, round, ours: own[kind], bare: others[kind] });
      process.stderr.write(`round ${round} of ${rounds}\n`);
    }
    return samples;
  } finally {
    for (const pool of [ours, bare, control]) await pool?.destroy();
    await end(prime);
    await end(server);
  }
}

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '6' },
    requests: { type: 'string', default: '1000' },
    ...OUTPUT_OPTIONS,
  },
});
const machine = describeSurroundings();
const folder = await mkdtemp(join(tmpdir(), 'bench-pass-through-'));
try {
  const rounds = Number(values.rounds);
  const samples = await run(folder, rounds, Number(values.requests));
  const report = reportOf(samples, { rounds, machine });
  await tell({ name: 'pass-through', report, figures: samples }, values);
} finally {
  await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}
