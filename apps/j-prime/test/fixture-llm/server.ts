// A small LLM server in the manner of OpenAI, as a program of its own: it really takes memory, sleeps, unloads, streams, and
// does as each request says. `node --expose-gc server.ts PORT MIB`; prints "ready" when it listens.
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { z } from 'zod';

const [port, mib] = process.argv.slice(2).map(Number);
const MIB = 1024 ** 2;
const PIECE_MIB = 8;
const MODEL = 'fixture-model';

const requestSchema = z.object({
  stream: z.boolean().default(false),
  tokens: z.int().default(3),
  /** Size of each token. */
  bytes: z.int().default(1),
  /** Each token waits for `POST /fixture/next`. */
  gated: z.boolean().default(false),
  /** The connection breaks off after so many tokens. */
  breakAfter: z.int().optional(),
});
type Asked = z.infer<typeof requestSchema>;

let weights: Buffer[] = [];
let state: 'unloaded' | 'asleep' | 'ready' = 'unloaded';
let running = 0;
let cancelled = 0;
let served = 0;
let written = 0;
let opened = 0;
const gates: (() => void)[] = [];
let allowed = 0;

function hold(wantedMib: number): void {
  const pieces = Math.ceil(wantedMib / PIECE_MIB);
  weights = weights.slice(0, pieces);
  while (weights.length < pieces) weights.push(Buffer.alloc(PIECE_MIB * MIB, 1));
  globalThis.gc?.();
}

const changes: Readonly<Record<string, () => void>> = {
  load: () => {
    hold(mib ?? 0);
    state = 'ready';
  },
  // A quarter stays, as with servers that keep a part when they sleep.
  sleep: () => {
    hold((mib ?? 0) / 4);
    state = 'asleep';
  },
  unload: () => {
    hold(0);
    state = 'unloaded';
  },
  exit: () => process.exit(0),
  next: () => {
    allowed += 1;
    gates.shift()?.();
  },
};

async function token(): Promise<void> {
  if (allowed === 0) await new Promise<void>((resolve) => gates.push(resolve));
  allowed -= 1;
}

async function answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
  const path = req.url ?? '';
  if (path === '/fixture/state')
    return json(res, {
      state,
      running,
      cancelled,
      served,
      written,
      opened,
      pid: process.pid,
      models: [MODEL],
    });
  if (path.startsWith('/fixture/')) {
    changes[path.slice('/fixture/'.length)]?.();
    return json(res, { state });
  }
  if (path === '/v1/models') return json(res, { object: 'list', data: [{ id: MODEL, object: 'model' }] });
  const body = await bodyOf(req);
  if (state !== 'ready') return void res.writeHead(503).end('{"error":"no model is loaded"}');
  const asked = requestSchema.parse(body.byteLength === 0 ? {} : JSON.parse(body.toString('utf8')));
  running += 1;
  let ended = false;
  res.once('close', () => {
    running -= 1;
    if (!ended) cancelled += 1;
  });
  if (asked.stream) await stream(res, asked);
  else {
    for (let i = 0; asked.gated && i < asked.tokens; i++) await token();
    json(res, {
      path,
      headers: req.headers,
      bytes: body.byteLength,
      sha256: createHash('sha256').update(body).digest('hex'),
    });
  }
  ended = true;
  served += 1;
}

async function stream(res: ServerResponse, asked: Asked): Promise<void> {
  res.writeHead(200, { 'content-type': 'text/event-stream', 'x-fixture': 'yes', 'keep-alive': 'timeout=60' });
  res.flushHeaders();
  for (let i = 0; i < asked.tokens; i++) {
    if (asked.breakAfter === i) return void res.destroy();
    if (asked.gated) await token();
    if (res.destroyed) return;
    written += asked.bytes;
    if (!res.write(`data: ${'x'.repeat(asked.bytes)}\n\n`)) await drained(res);
  }
  res.end('data: [DONE]\n\n');
}

function drained(res: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      res.off('drain', done).off('close', done);
      resolve();
    };
    res.once('drain', done).once('close', done);
  });
}

async function bodyOf(req: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of req) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function json(res: ServerResponse, body: unknown): void {
  const text = JSON.stringify(body);
  res
    .writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) })
    .end(text);
}

const server = createServer((req, res) => void answer(req, res).catch(() => res.destroy()));
server.on('connection', () => (opened += 1));
server.listen(port, '127.0.0.1', () => process.stdout.write('ready\n'));
