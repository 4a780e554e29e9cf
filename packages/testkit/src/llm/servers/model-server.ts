// What the fixtures of model servers share: models that really take memory when they are loaded, requests under way, and
// the bad manners of any server: to hang, to break off, to say too much or nonsense, to ask for a key.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { ReturningServer } from '../../returning-server.ts';

/** `half`: an answer that breaks off; `endless`: one that does not end; `odd`: JSON of another shape; `loading`: 503 to all. */
export type ServerManner = 'well' | 'hangs' | 'half' | 'text' | 'odd' | 'endless' | 'loading' | 'fails';

export interface ModelServerOptions {
  /** In the order of its list; the first of a server with one model. */
  readonly models?: readonly string[];
  readonly memoryMb?: number;
  /** Between the answer to an unload and its end, or the other way about. */
  readonly unloadMs?: number;
  readonly loadMs?: number;
  /** How long requests are waited for when their model is unloaded. */
  readonly graceMs?: number;
  /** Asked for by all calls. */
  readonly apiKey?: string;
}

/** What of their bodies the fixtures understand. */
export interface Asked {
  readonly model?: string;
  readonly keep_alive?: number;
  readonly instance_id?: string;
  readonly method?: string;
  readonly wait_ms?: number;
}

export interface Heard {
  readonly method: string;
  readonly path: string;
  readonly body: Asked;
}

const MIB = 1024 ** 2;
const PIECE = Buffer.alloc(64 * 1024, ' ');

export type Answer = { readonly status?: number; readonly json: unknown } | { readonly text: string };

export abstract class ModelServer extends ReturningServer {
  readonly models: readonly string[];
  readonly loaded = new Map<string, Buffer>();
  readonly heard: Heard[] = [];
  manner: ServerManner = 'well';
  /** Requests under way, by model; those of `generate` are counted by themselves. */
  readonly running = new Map<string, number>();
  /** Cut off by an unload. */
  cutOff = 0;
  protected readonly options: Required<Omit<ModelServerOptions, 'models' | 'apiKey'>>;
  readonly #apiKey: string | null;
  readonly #open = new Map<string, Set<ServerResponse>>();

  constructor(options: ModelServerOptions = {}) {
    super();
    const { models = ['small', 'large'], apiKey = null, ...rest } = options;
    this.models = models;
    this.#apiKey = apiKey;
    this.options = { memoryMb: 1, unloadMs: 0, loadMs: 0, graceMs: 10_000, ...rest };
  }

  load(model: string): void {
    if (!this.loaded.has(model))
      this.loaded.set(model, Buffer.alloc(this.options.memoryMb * MIB, `weights of ${model}`));
  }

  unload(model: string): void {
    this.loaded.delete(model);
    globalThis.gc?.();
  }

  paths(): string[] {
    return this.heard.map(({ method, path }) => `${method} ${path}`);
  }

  protected abstract reply(heard: Heard, res: ServerResponse): Promise<Answer | null>;

  protected async answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const heard = { method: req.method ?? '', path: req.url ?? '', body: await bodyOf(req) };
    this.heard.push(heard);
    if (this.#apiKey !== null && req.headers.authorization !== `Bearer ${this.#apiKey}`)
      return send(res, { status: 401, json: { error: 'a key is needed' } });
    if (this.manner !== 'well') return misbehave(this.manner, res);
    const answer = await this.reply(heard, res);
    if (answer !== null && !res.destroyed) send(res, answer);
  }

  /** In the manner of OpenAI; `wait_ms` in the body is how long it takes. */
  protected async generate({ path, body }: Heard, res: ServerResponse): Promise<Answer | null> {
    const model = body.model ?? this.models[0] ?? '';
    const open = this.#open.get(model) ?? new Set();
    this.#open.set(model, open.add(res));
    this.#count(model, 1);
    try {
      await pause(body.wait_ms ?? 0);
    } finally {
      open.delete(res);
      this.#count(model, -1);
    }
    return { json: { object: path, model, choices: [{ index: 0, message: { content: 'said' } }] } };
  }

  protected busy(model: string): number {
    return this.running.get(model) ?? 0;
  }

  protected async untilQuiet(model: string, limitMs: number): Promise<boolean> {
    const give = performance.now() + limitMs;
    while (this.busy(model) > 0 && performance.now() < give) await pause(5);
    return this.busy(model) === 0;
  }

  protected cut(model: string): void {
    for (const res of this.#open.get(model) ?? []) {
      this.cutOff += 1;
      res.destroy();
    }
  }

  protected list(owner: string, extra: object = {}): Answer {
    const data = this.models.map((id) => ({ id, object: 'model', owned_by: owner, ...extra }));
    return { json: { object: 'list', data } };
  }

  #count(model: string, change: number): void {
    this.running.set(model, this.busy(model) + change);
  }
}

/** Who has stopped is not kept running by it. */
export function pause(ms: number): Promise<void> {
  return delay(ms, undefined, { ref: false });
}

export const NOT_FOUND: Answer = { status: 404, json: { error: { message: 'not found' } } };

function send(res: ServerResponse, answer: Answer): void {
  if ('text' in answer) res.writeHead(200, { 'content-type': 'text/plain' }).end(answer.text);
  else
    res
      .writeHead(answer.status ?? 200, { 'content-type': 'application/json' })
      .end(JSON.stringify(answer.json));
}

function misbehave(manner: Exclude<ServerManner, 'well'>, res: ServerResponse): void {
  const head = { 'content-type': 'application/json' };
  switch (manner) {
    case 'hangs':
      return;
    case 'half':
      res.writeHead(200, { ...head, 'content-length': 1000 }).write('{"models": [{"na');
      setTimeout(() => res.destroy(), 5);
      return;
    case 'text':
      return void res.writeHead(200, head).end('Unexpected endpoint or method. Returning 200 anyway');
    case 'odd':
      return void res.writeHead(200, head).end('{"error": "Unexpected endpoint or method."}');
    case 'endless':
      res.writeHead(200, head);
      return pour(res);
    case 'loading':
      return send(res, { status: 503, json: { error: { message: 'Loading model', code: 503 } } });
    case 'fails':
      return send(res, { status: 500, json: { error: 'out of order' } });
  }
}

function pour(res: ServerResponse): void {
  while (!res.destroyed && res.write(PIECE));
  if (!res.destroyed) res.once('drain', () => pour(res));
}

async function bodyOf(req: IncomingMessage): Promise<Asked> {
  const chunks: Buffer[] = [];
  for await (const chunk of req) chunks.push(chunk as Buffer);
  return chunks.length === 0 ? {} : (JSON.parse(Buffer.concat(chunks).toString()) as Asked);
}
