// Server-Sent Events, both ends: an async sequence as a response that minds a slow reader, and a response as a sequence.
import { CodedError } from '@jarvis/contracts';
import { createParser } from 'eventsource-parser';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Agent, request } from 'undici';
import { errorFromResponse } from './problem.ts';

const HEARTBEAT_MS = 15_000;
/** A follower that hears nothing for so long, not even a heartbeat, takes the connection for dead. */
const SILENCE_MS = 3 * HEARTBEAT_MS;
const LAST_EVENT_ID_MAX = Number.MAX_SAFE_INTEGER;

export interface SseMessage {
  readonly id: string;
  readonly event: string;
  readonly data: unknown;
}

/** The `Last-Event-ID` header as a number, 0 when there is none. Throws `invalid_request` when it is not one of ours. */
export function lastEventId(req: FastifyRequest): number {
  const header = req.headers['last-event-id'];
  if (header === undefined || header === '') return 0;
  const id = Number(header);
  if (Number.isInteger(id) && id >= 0 && id <= LAST_EVENT_ID_MAX) return id;
  throw new CodedError('invalid_request', 'Last-Event-ID has to be an id of this stream', {
    issues: [{ path: 'headers.last-event-id', message: 'a whole number' }],
  });
}

/** A signal that fires when the client goes away. */
export function clientGone(reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  reply.raw.once('close', () => gone.abort());
  return gone.signal;
}

const openStreams = new WeakMap<object, Set<FastifyReply>>();
/** Replies that are or were streams. */
const streams = new WeakSet<FastifyReply>();

/** Ends the streams of a server that closes: they would keep it open for ever. Their readers come back with Last-Event-ID. */
export function endStreams(httpServer: object): void {
  for (const { raw } of openStreams.get(httpServer) ?? []) raw.destroy();
}

/** The route of each stream that is open now. */
export function followedRoutes(httpServer: object): string[] {
  return [...(openStreams.get(httpServer) ?? [])].map((reply) => reply.request.routeOptions.url ?? '');
}

export function isStream(reply: FastifyReply): boolean {
  return streams.has(reply);
}

/** Sends `messages` until they end or the client goes; heartbeat comments keep the connection known to be alive. */
export async function sendSse(reply: FastifyReply, messages: AsyncIterable<SseMessage>): Promise<void> {
  reply.hijack();
  const raw = reply.raw;
  raw.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache, no-transform',
    'x-accel-buffering': 'no',
  });
  raw.flushHeaders();
  const open = openStreams.get(reply.server.server) ?? new Set();
  openStreams.set(reply.server.server, open.add(reply));
  streams.add(reply);
  const heartbeat = setInterval(() => raw.write(': alive\n\n'), HEARTBEAT_MS);
  try {
    for await (const message of messages) {
      if (raw.destroyed) return;
      const room = raw.write(
        `id: ${message.id}\nevent: ${message.event}\ndata: ${JSON.stringify(message.data)}\n\n`,
      );
      if (!room) await drained(raw);
    }
  } finally {
    clearInterval(heartbeat);
    open.delete(reply);
    raw.end();
  }
}

function drained(raw: FastifyReply['raw']): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      raw.off('drain', done).off('close', done);
      resolve();
    };
    raw.once('drain', done).once('close', done);
  });
}

export interface ReadSseOptions {
  readonly url: string;
  readonly lastEventId: string | null;
  readonly token: string | null;
  readonly signal: AbortSignal;
}

export interface ReceivedEvent {
  readonly id: string | null;
  readonly event: string;
  readonly data: unknown;
}

/** One connection's events; ends when the server ends it, throws `service_unavailable` when it breaks. The caller reconnects. */
export async function* readSse(options: ReadSseOptions): AsyncGenerator<ReceivedEvent, void> {
  const agent = new Agent({ bodyTimeout: SILENCE_MS });
  const headers: Record<string, string> = { accept: 'text/event-stream' };
  if (options.lastEventId !== null) headers['last-event-id'] = options.lastEventId;
  if (options.token !== null) headers['authorization'] = `Bearer ${options.token}`;
  const received: ReceivedEvent[] = [];
  const parser = createParser({
    onEvent: (e) =>
      received.push({ id: e.id ?? null, event: e.event ?? 'message', data: JSON.parse(e.data) as unknown }),
  });
  try {
    const response = await request(options.url, { headers, dispatcher: agent, signal: options.signal });
    if (response.statusCode !== 200) {
      throw errorFromResponse(
        response.statusCode,
        await response.body.json().catch(() => undefined),
        options.url,
      );
    }
    const decoder = new TextDecoder();
    for await (const chunk of response.body) {
      parser.feed(decoder.decode(chunk as Uint8Array, { stream: true }));
      yield* received.splice(0);
    }
  } catch (error) {
    if (options.signal.aborted) return;
    if (error instanceof CodedError) throw error;
    throw new CodedError(
      'service_unavailable',
      `the stream ${options.url} broke: ${(error as Error).message}`,
      {},
      { cause: error },
    );
  } finally {
    void agent.destroy();
  }
}
