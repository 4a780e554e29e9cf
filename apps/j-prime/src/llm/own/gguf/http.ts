// The HTTP side of a model in this process: loopback only, in the manner of OpenAI.
//
//   GET /health   GET /v1/models   POST /v1/chat/completions   POST /v1/completions   POST /v1/embeddings
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { ZodError, type z } from 'zod';
import { AnswerStream, CHAT, COMPLETION, type Envelope, type Form, wholeAnswer } from './answers.ts';
import { Line } from './line.ts';
import { type LoadedModel, PromptTooLong, type Said, type Wish } from './model.ts';
import {
  chatRequest,
  type CommonRequest,
  completionRequest,
  embeddingRequest,
  turnsOf,
  wishOf,
} from './requests.ts';

export interface GgufHttpOptions {
  /** Null while it loads. */
  readonly model: () => LoadedModel | null;
  readonly name: string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly newId: () => string;
}

const BODY_BYTES_MAX = 32 * 1024 ** 2;
const RETRY_AFTER_SECONDS = 2;
/** Web pages cannot name loopback in this header: their own names that lead here are refused. */
const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])(:\d+)?$/;

/** An answer that is no success. */
class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly status: number;
  readonly type: string;
  constructor(status: number, type: string, message: string) {
    super(message);
    this.status = status;
    this.type = type;
  }
}

export function createGgufServer(options: GgufHttpOptions): Server {
  const line = new Line();
  return createServer((req, res) => {
    serve(req, res, { ...options, line }).catch((error: unknown) => refuse(res, error));
  });
}

type Ground = GgufHttpOptions & { readonly line: Line };

async function serve(req: IncomingMessage, res: ServerResponse, ground: Ground): Promise<void> {
  if (!LOOPBACK.test(req.headers.host ?? ''))
    throw new Refusal(403, 'invalid_request_error', 'the Host header has to name loopback');
  const { model, name, line } = ground;
  switch (`${req.method} ${req.url?.split('?')[0]}`) {
    case 'GET /health':
      if (model() === null) return json(res, 503, { status: 'loading model' });
      return json(res, 200, { status: 'ok', running: line.length });
    case 'GET /v1/models':
      return json(res, 200, { object: 'list', data: [{ id: name, object: 'model', owned_by: 'local' }] });
    case 'POST /v1/chat/completions': {
      const asked = await readBody(req, chatRequest);
      const turns = turnsOf(asked.messages);
      return await generate(res, ground, { form: CHAT, asked, run: (m, wish) => m.chat(turns, wish) });
    }
    case 'POST /v1/completions': {
      const asked = await readBody(req, completionRequest);
      const { prompt } = asked;
      return await generate(res, ground, {
        form: COMPLETION,
        asked,
        run: (m, wish) => m.complete(prompt, wish),
      });
    }
    case 'POST /v1/embeddings':
      return await embed(req, res, ground);
    default:
      throw new Refusal(404, 'not_found_error', 'there is no such thing here');
  }
}

interface Generation {
  readonly form: Form;
  readonly asked: CommonRequest;
  readonly run: (model: LoadedModel, wish: Wish) => Promise<Said>;
}

async function generate(res: ServerResponse, ground: Ground, generation: Generation): Promise<void> {
  const { name, now, newId } = ground;
  const { form, asked, run } = generation;
  const signal = clientGone(res);
  const envelope: Envelope = {
    id: `cmpl-${newId()}`,
    created: Math.floor(now() / 1000),
    model: name,
  };
  await inTurn(res, ground, async (model) => {
    if (signal.aborted) return;
    const wish = { ...wishOf(asked), signal };
    if (asked.stream !== true) {
      const said = await run(model, { ...wish, onText: () => undefined });
      if (!signal.aborted) json(res, 200, wholeAnswer(form, envelope, said));
      return;
    }
    const stream = new AnswerStream(res, form, envelope);
    try {
      const said = await run(model, { ...wish, onText: (text) => stream.say(text) });
      if (!signal.aborted) stream.end(said, asked.stream_options?.include_usage === true);
    } catch (error) {
      if (!res.headersSent) throw error;
      stream.fail((error as Error).message);
    }
  });
}

async function embed(req: IncomingMessage, res: ServerResponse, ground: Ground): Promise<void> {
  const { input } = await readBody(req, embeddingRequest);
  const signal = clientGone(res);
  await inTurn(res, ground, async (model) => {
    const data: object[] = [];
    for (const [index, text] of input.entries()) {
      if (signal.aborted) return;
      data.push({ object: 'embedding', index, embedding: await model.embed(text) });
    }
    const tokens = input.reduce((sum, text) => sum + model.countTokens(text), 0);
    const usage = { prompt_tokens: tokens, total_tokens: tokens };
    json(res, 200, { object: 'list', model: ground.name, data, usage });
  });
}

async function inTurn(
  res: ServerResponse,
  { model, line }: Ground,
  work: (model: LoadedModel) => Promise<void>,
): Promise<void> {
  const loaded = model();
  const turn = loaded === null ? null : line.enter(() => work(loaded));
  if (turn !== null) return await turn;
  res.setHeader('retry-after', String(RETRY_AFTER_SECONDS));
  const why = loaded === null ? 'the model is being loaded' : 'too many requests are waiting';
  throw new Refusal(503, 'unavailable_error', why);
}

function clientGone(res: ServerResponse): AbortSignal {
  const gone = new AbortController();
  res.once('close', () => gone.abort());
  return gone.signal;
}

async function readBody<T>(req: IncomingMessage, schema: z.ZodType<T>): Promise<T> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of req) {
    bytes += (chunk as Buffer).length;
    if (bytes > BODY_BYTES_MAX)
      throw new Refusal(413, 'invalid_request_error', `the body is over ${BODY_BYTES_MAX} bytes`);
    chunks.push(chunk as Buffer);
  }
  return schema.parse(JSON.parse(Buffer.concat(chunks).toString('utf8')));
}

function refuse(res: ServerResponse, error: unknown): void {
  if (res.headersSent) return void res.destroy();
  const { status, type, message } = asRefusal(error);
  json(res, status, { error: { message, type, code: status } });
}

function asRefusal(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  if (error instanceof SyntaxError) return new Refusal(400, 'invalid_request_error', 'the body is not JSON');
  if (error instanceof PromptTooLong) return new Refusal(400, 'exceed_context_size_error', error.message);
  if (error instanceof ZodError) {
    const [issue] = error.issues;
    const where = issue?.path.join('.') ?? '';
    return new Refusal(400, 'invalid_request_error', `${where}: ${issue?.message ?? ''}`);
  }
  return new Refusal(500, 'server_error', (error as Error).message);
}

function json(res: ServerResponse, status: number, body: unknown): void {
  res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
