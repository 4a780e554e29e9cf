// `/v1` passed on: bytes in, bytes out. A slow reader slows the server down, a client that hangs up cancels its request
// there, and an answer that breaks off there breaks off here.
import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { CodedError } from '@jarvis/contracts';
import type { HttpServer, Logger } from '@jarvis/runtime';
import { type Dispatcher, Pool } from 'undici';
import { headersDown, headersUp } from './headers.ts';
import { bodyUp, modelOf } from './request-body.ts';
import type { LlmServer } from './server.ts';
import { RUNNING_MAX } from './traffic.ts';

/** An answer that is not streamed comes as a whole: a long one takes minutes on a small machine. */
const HEADERS_LIMIT_MS = 1_800_000;
/** Between two pieces of an answer. */
const SILENCE_LIMIT_MS = 600_000;
const CONNECT_LIMIT_MS = 5_000;
/** Less than the 5 s of Node and uvicorn: a connection that the server is about to close is not used. */
const KEEP_ALIVE_MS = 4_000;
const RETRY_AFTER_SECONDS = 1;

type Handler = Parameters<HttpServer['route']>[0]['handler'];
type Request = Parameters<Handler>[0];
type Reply = Parameters<Handler>[1];

export interface PassThroughOptions {
  readonly server: LlmServer;
  readonly bodyLimitBytes: number;
  readonly logger: Logger;
}

export class PassThrough {
  readonly #options: PassThroughOptions;
  readonly #under = new Set<Exchange>();
  #pool: { readonly base: string; readonly prefix: string; readonly pool: Pool } | null = null;

  constructor(options: PassThroughOptions) {
    this.#options = options;
  }

  /** @throws {CodedError} `llm_unavailable`, `overloaded`, `body_too_large`; as long as nothing was answered */
  async pass(req: Request, reply: Reply): Promise<void> {
    const { server, bodyLimitBytes } = this.#options;
    const client = new Client(reply.raw);
    try {
      const body = await bodyUp(req.raw, bodyLimitBytes);
      const leave = server.enter() ?? (await server.hold(client.signal, modelOf(body)));
      try {
        await this.#exchange(req, reply, { client, body });
      } finally {
        leave();
      }
    } catch (error) {
      if (!client.isGone) throw error;
      // Nobody is there to be told.
      reply.hijack();
    } finally {
      client.forget();
    }
  }

  /** Cuts off what is under way. */
  async close(): Promise<void> {
    for (const exchange of this.#under) exchange.cut(new Error('J-Prime is stopping'));
    await this.#pool?.pool.destroy();
  }

  async #exchange(req: Request, reply: Reply, { client, body }: Way): Promise<void> {
    const { server, logger } = this.#options;
    const { engine } = server;
    const target = this.#targetOf(engine.baseUrl());
    const exchange = new Exchange(reply, client);
    this.#under.add(exchange);
    try {
      target.pool.dispatch(
        {
          path: target.prefix + req.url,
          method: req.method,
          headers: headersUp(req.raw.headers, engine.apiKey),
          body,
        },
        exchange,
      );
      await exchange.done;
    } catch (error) {
      if (error instanceof CodedError || client.isGone) throw error;
      logger.warn({ err: error, llm: engine.name }, 'the LLM server did not answer');
      server.doubt();
      throw new CodedError(
        'llm_unavailable',
        `${engine.name} did not answer (${(error as Error).message})`,
        { retry_after_seconds: RETRY_AFTER_SECONDS },
        { cause: error },
      );
    } finally {
      this.#under.delete(exchange);
    }
    if (exchange.brokeOff) server.doubt();
  }

  /** Another address, after a restart of the server, gets connections of its own. */
  #targetOf(base: string | null): { prefix: string; pool: Pool } {
    if (base === null)
      throw new CodedError('llm_unavailable', 'the LLM server has no address now', {
        retry_after_seconds: RETRY_AFTER_SECONDS,
      });
    if (this.#pool?.base === base) return this.#pool;
    void this.#pool?.pool.close();
    const { origin, pathname } = new URL(base);
    const pool = new Pool(origin, {
      connections: RUNNING_MAX,
      headersTimeout: HEADERS_LIMIT_MS,
      bodyTimeout: SILENCE_LIMIT_MS,
      connect: { timeout: CONNECT_LIMIT_MS },
      keepAliveTimeout: KEEP_ALIVE_MS,
    });
    this.#pool = { base, prefix: pathname.replace(/\/+$/, ''), pool };
    return this.#pool;
  }
}

interface Way {
  readonly client: Client;
  readonly body: Buffer | Readable | null;
}

/** Whether who asked is still there. A signal is made only for who has to wait: most do not. */
class Client {
  readonly #raw: ServerResponse;
  #signal: AbortController | null = null;
  #isGone = false;
  /** Told when the client goes. */
  onGone: (() => void) | null = null;

  constructor(raw: ServerResponse) {
    this.#raw = raw;
    raw.once('close', this.#close);
  }
  get signal(): AbortSignal {
    this.#signal ??= new AbortController();
    if (this.#isGone) this.#signal.abort(GONE);
    return this.#signal.signal;
  }
  get isGone(): boolean {
    return this.#isGone;
  }
  forget(): void {
    this.#raw.off('close', this.#close);
  }
  readonly #close = (): void => {
    this.#isGone = true;
    this.#signal?.abort(GONE);
    this.onGone?.();
  };
}

const GONE = new Error('the client is gone');

/** One answer on its way down. */
class Exchange implements Dispatcher.DispatchHandler {
  readonly #reply: Reply;
  readonly #raw: ServerResponse;
  readonly #client: Client;
  readonly #done = Promise.withResolvers<void>();
  #controller: Dispatcher.DispatchController | null = null;
  #isOver = false;
  #waits = false;
  /** Whether it ended before its end. */
  brokeOff = false;

  constructor(reply: Reply, client: Client) {
    this.#reply = reply;
    this.#raw = reply.raw;
    this.#client = client;
    client.onGone = this.#onGone;
  }

  /** Resolves when the answer is with the client, or broke off; rejects when there was none. */
  get done(): Promise<void> {
    return this.#done.promise;
  }

  cut(reason: Error): void {
    this.#controller?.abort(reason);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#client.isGone) this.#onGone();
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    // "100 Continue" and its like are of that connection.
    if (status < 200) return;
    this.#reply.hijack();
    this.#raw.writeHead(status, headersDown(headers));
    // The first token of a stream may take its time; that it began is told at once.
    if (headers['content-type']?.startsWith('text/event-stream') === true) this.#raw.flushHeaders();
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#raw.write(chunk) || this.#waits) return;
    this.#waits = true;
    controller.pause();
    this.#raw.once('drain', () => {
      this.#waits = false;
      controller.resume();
    });
  }

  onResponseEnd(): void {
    this.#end();
    this.#raw.end();
    this.#done.resolve();
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    this.#end();
    if (!this.#raw.headersSent) return this.#done.reject(error);
    this.brokeOff = !this.#client.isGone;
    this.#raw.destroy();
    this.#done.resolve();
  }

  readonly #onGone = (): void => {
    if (!this.#isOver) this.#controller?.abort(GONE);
  };

  #end(): void {
    this.#isOver = true;
    this.#client.onGone = null;
  }
}
