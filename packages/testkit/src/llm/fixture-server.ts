// A small LLM server without an LLM, as a program: it takes the memory that it is told to, loads for as long as it is told
// to, and answers in the manner of OpenAI with the words that it was sent.
//
//   node fixture-server.ts --port 8080 --memory-mb 200 --load-ms 500 --manner well
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { FIXTURE_LLM_MANNERS, type FixtureLlmManner } from './command.ts';

const LOAD_STEPS = 10;
const WORDS_MAX = 10_000;

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: process.env['PORT'] ?? '0' },
    'memory-mb': { type: 'string', default: '0' },
    'load-ms': { type: 'string', default: '0' },
    'word-ms': { type: 'string', default: '0' },
    model: { type: 'string', default: 'fixture' },
    manner: { type: 'string', default: 'well' },
  },
});
const manner = FIXTURE_LLM_MANNERS.find((known) => known === values.manner) as FixtureLlmManner;
const model = values.model;
const wordMs = Number(values['word-ms']);
const counts = { running: 0, answered: 0, left: 0 };
const held: Buffer[] = [];
let ready = false;

async function load(): Promise<void> {
  const stepBytes = Math.ceil((Number(values['memory-mb']) * 1024 ** 2) / LOAD_STEPS);
  for (let step = 0; step < LOAD_STEPS; step++) {
    // Filled, so that it is really there, and unlike from page to page.
    if (stepBytes > 0) held.push(Buffer.alloc(stepBytes, `page of the fixture, step ${step}`));
    await delay(Number(values['load-ms']) / LOAD_STEPS);
  }
  if (manner === 'dies') {
    process.stderr.write('the fixture was told to die\n');
    process.exit(7);
  }
  if (manner === 'hangs') return;
  ready = true;
}

interface Asked {
  readonly model?: string;
  readonly stream?: boolean;
  readonly max_tokens?: number;
  readonly messages?: readonly { readonly content: string }[];
  readonly prompt?: string;
  readonly input?: string | readonly string[];
}

async function readBody(req: IncomingMessage): Promise<Asked> {
  const chunks: Buffer[] = [];
  for await (const chunk of req) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString()) as Asked;
}

function json(res: ServerResponse, status: number, body: unknown): void {
  res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

const countWords = (text: string): number => text.split(/\s+/).filter((word) => word !== '').length;

/** Says back what it heard, word for word. */
async function answer(asked: Asked, res: ServerResponse, kind: 'chat.completion' | 'text_completion') {
  const heard = asked.messages?.at(-1)?.content ?? asked.prompt ?? '';
  const words = heard.split(/(?<=\s)/).slice(0, Math.min(asked.max_tokens ?? WORDS_MAX, WORDS_MAX));
  const prompt_tokens = countWords((asked.messages ?? []).map((m) => m.content).join(' ') || heard);
  const usage = {
    prompt_tokens,
    completion_tokens: words.length,
    total_tokens: prompt_tokens + words.length,
  };
  const id = `${kind}-${counts.answered}`;
  if (asked.stream !== true) {
    await delay(wordMs * words.length);
    const said = words.join('');
    const choice =
      kind === 'chat.completion' ? { message: { role: 'assistant', content: said } } : { text: said };
    json(res, 200, {
      id,
      object: kind,
      model,
      choices: [{ index: 0, ...choice, finish_reason: 'stop' }],
      usage,
    });
    return;
  }
  res.writeHead(200, { 'content-type': 'text/event-stream' });
  const send = (choice: object): boolean =>
    res.write(
      `data: ${JSON.stringify({ id, object: `${kind}.chunk`, model, choices: [{ index: 0, ...choice }] })}\n\n`,
    );
  for (const word of words) {
    if (res.destroyed) return;
    send(kind === 'chat.completion' ? { delta: { content: word } } : { text: word });
    await delay(wordMs);
  }
  send({ ...(kind === 'chat.completion' ? { delta: {} } : { text: '' }), finish_reason: 'stop' });
  res.end(`data: ${JSON.stringify({ id, model, choices: [], usage })}\n\ndata: [DONE]\n\n`);
}

async function generate(
  req: IncomingMessage,
  res: ServerResponse,
  kind: 'chat.completion' | 'text_completion',
) {
  if (!ready) return json(res, 503, { error: { message: 'Loading model', type: 'unavailable_error' } });
  counts.running += 1;
  res.once('close', () => {
    counts.running -= 1;
    if (res.writableFinished) counts.answered += 1;
    else counts.left += 1;
  });
  await answer(await readBody(req), res, kind);
}

/** As many numbers as it takes to tell two texts apart. */
function vectorOf(text: string): number[] {
  const vector = [0, 0, 0, 0];
  for (const [i, letter] of text.split('').entries())
    vector[i % 4] = (vector[i % 4] ?? 0) + (letter.codePointAt(0) ?? 0) / 1000;
  return vector;
}

async function embed(req: IncomingMessage, res: ServerResponse): Promise<void> {
  const { input = '' } = await readBody(req);
  const texts = typeof input === 'string' ? [input] : input;
  const data = texts.map((text, index) => ({ object: 'embedding', index, embedding: vectorOf(text) }));
  const tokens = countWords(texts.join(' '));
  json(res, 200, {
    object: 'list',
    model,
    data,
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  });
}

async function serve(req: IncomingMessage, res: ServerResponse): Promise<void> {
  switch (`${req.method} ${req.url}`) {
    case 'GET /health':
      if (manner === 'no_health') return json(res, 404, { error: { message: 'File Not Found' } });
      return json(res, ready ? 200 : 503, ready ? { status: 'ok' } : { status: 'loading model' });
    case 'GET /v1/models':
      if (!ready) return json(res, 503, { error: { message: 'Loading model' } });
      return json(res, 200, { object: 'list', data: [{ id: model, object: 'model' }] });
    case 'GET /counts':
      return json(res, 200, { ...counts, held_bytes: held.reduce((sum, part) => sum + part.length, 0) });
    case 'POST /v1/chat/completions':
      return await generate(req, res, 'chat.completion');
    case 'POST /v1/completions':
      return await generate(req, res, 'text_completion');
    case 'POST /v1/embeddings':
      return await embed(req, res);
    default:
      return json(res, 404, { error: { message: 'File Not Found' } });
  }
}

if (manner === 'deaf') process.on('SIGTERM', () => process.stdout.write('heard SIGTERM, and goes on\n'));
if (manner === 'silent') setInterval(() => undefined, 1000);
else {
  const server = createServer((req, res) => {
    serve(req, res).catch((error: unknown) => {
      if (res.headersSent) res.destroy();
      else json(res, 400, { error: { message: String(error) } });
    });
  });
  server.listen(Number(values.port), '127.0.0.1', () => {
    process.stdout.write(`listening on ${JSON.stringify(server.address())}\n`);
    void load();
  });
}
