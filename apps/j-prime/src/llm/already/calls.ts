// Calls of a server that is not ours: bounded in time and size, its key sent and never shown, and every failure of one kind.
import { z } from 'zod';

/**
 * `silent`: nobody answers. `late`: nothing came in time. `called off`: by who asked. `denied`: it asks for a key, or for another. `refused`: any other
 * status that is no success. `unreadable`: too large, cut off, no JSON, or not what this kind of server says.
 */
export type CallFailure = 'silent' | 'late' | 'called off' | 'denied' | 'refused' | 'unreadable';

export class CallFailed extends Error {
  override readonly name = 'CallFailed';
  readonly kind: CallFailure;
  /** null where there was no answer. */
  readonly status: number | null;
  constructor(kind: CallFailure, message: string, status: number | null = null, cause?: unknown) {
    super(message, { cause });
    this.kind = kind;
    this.status = status;
  }
}

export interface CallsOptions {
  /** Without a slash at the end. */
  readonly baseUrl: string;
  readonly apiKey: string | null;
  /** How long a look may wait for an answer; what loads or unloads has only its signal. */
  readonly lookLimitMs?: number;
  /** How long an event is waited for that is sent at once or never. */
  readonly eventLimitMs?: number;
  readonly answerBytesMax?: number;
  readonly fetch?: typeof fetch;
}

const LOOK_LIMIT_MS = 2_000;
const EVENT_LIMIT_MS = 500;
/** The metrics of a busy vLLM take some 100 kB, a list of a thousand models as much. */
const ANSWER_BYTES_MAX = 4 * 1024 ** 2;
/** Of an answer that is no success, told to a person. */
const TOLD_CHARACTERS_MAX = 200;
const DENIED: ReadonlySet<number> = new Set([401, 403]);

interface Call {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: object;
  readonly limitMs: number | null;
  readonly signal: AbortSignal;
}

export class Calls {
  readonly baseUrl: string;
  readonly #apiKey: string | null;
  readonly #lookLimitMs: number;
  readonly #eventLimitMs: number;
  readonly #answerBytesMax: number;
  readonly #fetch: typeof fetch;

  constructor(options: CallsOptions) {
    this.baseUrl = options.baseUrl;
    this.#apiKey = options.apiKey;
    this.#lookLimitMs = options.lookLimitMs ?? LOOK_LIMIT_MS;
    this.#eventLimitMs = options.eventLimitMs ?? EVENT_LIMIT_MS;
    this.#answerBytesMax = options.answerBytesMax ?? ANSWER_BYTES_MAX;
    this.#fetch = options.fetch ?? globalThis.fetch;
  }

  /** @throws {CallFailed} */
  async look<T>(path: string, schema: z.ZodType<T>, signal: AbortSignal): Promise<T> {
    const text = await this.lookAtText(path, signal);
    try {
      return schema.parse(JSON.parse(text));
    } catch (error) {
      throw new CallFailed('unreadable', `GET ${path} answers ${whyUnreadable(error)}`, null, error);
    }
  }

  /** @throws {CallFailed} */
  lookAtText(path: string, signal: AbortSignal): Promise<string> {
    return this.#call({ method: 'GET', path, limitMs: this.#lookLimitMs, signal });
  }

  /** What loads or unloads: it may take as long as `signal` lets it. @throws {CallFailed} */
  async act(method: 'GET' | 'POST', path: string, signal: AbortSignal, body?: object): Promise<void> {
    await this.#call({ method, path, limitMs: null, signal, ...(body === undefined ? {} : { body }) });
  }

  /** The first event of a stream of server-sent events in which `find` finds something; null where none came. */
  async find<T>(path: string, find: (event: string) => T | null, signal: AbortSignal): Promise<T | null> {
    const over = new AbortController();
    try {
      const wait = AbortSignal.any([over.signal, signal, AbortSignal.timeout(this.#eventLimitMs)]);
      const response = await this.#send({ method: 'GET', path, limitMs: null, signal: wait });
      if (response.status !== 200) return null;
      let text = '';
      const decoder = new TextDecoder();
      for await (const chunk of piecesOf(response)) {
        text += decoder.decode(chunk, { stream: true });
        if (text.length > this.#answerBytesMax) return null;
        const events = text.split('\n\n');
        text = events.pop() ?? '';
        for (const event of events) {
          const found = find(event);
          if (found !== null) return found;
        }
      }
      return null;
    } catch {
      return null;
    } finally {
      over.abort();
    }
  }

  async #call(call: Call): Promise<string> {
    const { method, path, limitMs } = call;
    const limits = limitMs === null ? [] : [AbortSignal.timeout(limitMs)];
    const signal = AbortSignal.any([call.signal, ...limits]);
    try {
      const response = await this.#send({ ...call, signal });
      const text = await this.#read(response);
      if (response.ok) return text;
      const kind = DENIED.has(response.status) ? 'denied' : 'refused';
      const said = text.replaceAll(/\s+/g, ' ').trim().slice(0, TOLD_CHARACTERS_MAX);
      const message = `${method} ${path} answers ${response.status}${said === '' ? '' : `: ${said}`}`;
      throw new CallFailed(kind, message, response.status);
    } catch (error) {
      if (error instanceof CallFailed) throw error;
      if (call.signal.aborted)
        throw new CallFailed('called off', `${method} ${path} was called off`, null, error);
      if ((error as Error).name === 'TimeoutError')
        throw new CallFailed('late', `${method} ${path}: nothing within ${(limitMs ?? 0) / 1000} s`);
      throw new CallFailed('silent', `${method} ${path}: ${reasonOf(error)}`, null, error);
    }
  }

  #send({ method, path, body, signal }: Call): Promise<Response> {
    // Calls are seconds apart: a connection that is kept may be one that the server has just closed.
    const headers: Record<string, string> = { connection: 'close' };
    if (this.#apiKey !== null) headers['authorization'] = `Bearer ${this.#apiKey}`;
    if (body !== undefined) headers['content-type'] = 'application/json';
    return this.#fetch(this.baseUrl + path, {
      method,
      headers,
      signal,
      // The key is for this server, not for one that it names.
      redirect: 'error',
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  }

  async #read(response: Response): Promise<string> {
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    for await (const chunk of piecesOf(response)) {
      bytes += chunk.byteLength;
      if (bytes > this.#answerBytesMax)
        throw new CallFailed('unreadable', `an answer of more than ${this.#answerBytesMax} bytes`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString('utf8');
  }
}

/** Leaving the loop early ends the answer. */
async function* piecesOf(response: Response): AsyncGenerator<Uint8Array> {
  if (response.body !== null) yield* response.body;
}

function whyUnreadable(error: unknown): string {
  if (!(error instanceof z.ZodError)) return 'no JSON';
  const [issue] = error.issues;
  return `what was not expected (${issue?.path.join('.') || 'the whole'}: ${issue?.message ?? 'wrong'})`;
}

/** What fetch hides in the cause. */
function reasonOf(error: unknown): string {
  const { message, cause } = error as Error;
  const { code, message: inner } = (cause ?? {}) as NodeJS.ErrnoException;
  return code ?? inner ?? message;
}
