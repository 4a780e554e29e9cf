// Calls to another service: time limit, retries with jitter where a call may be repeated, circuit breaker, coded errors.
import { CodedError } from '@jarvis/contracts';
import {
  circuitBreaker,
  ConsecutiveBreaker,
  ExponentialBackoff,
  handleWhen,
  type IPolicy,
  isBrokenCircuitError,
  retry,
  wrap,
} from 'cockatiel';
import { Agent, request } from 'undici';
import type { z } from 'zod';
import { errorFromResponse } from './problem.ts';

const BREAKER_FAILURES = 5;
const BREAKER_HALF_OPEN_AFTER_MS = 1_000;
const CONNECTIONS_MAX = 32;
const RETRY_DELAY_MAX_MS = 10_000;

export interface ServiceClientOptions {
  readonly name: string;
  readonly baseUrl: string;
  readonly timeoutMs: number;
  readonly retries: number;
  readonly retryDelayMs: number;
  readonly token: string | null;
}

export interface CallOptions {
  /** May be sent again when it is not known whether it arrived. GET always may. */
  readonly repeatable?: boolean;
  /** No retries and no breaker: for probes, and where the caller has a loop of its own. */
  readonly once?: boolean;
  readonly headers?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
  /** Ends the call; its connection is closed, by which the other side knows. */
  readonly signal?: AbortSignal;
}

export interface ServiceClient {
  readonly name: string;
  readonly baseUrl: string;
  get<T>(path: string, schema: z.ZodType<T>, options?: CallOptions): Promise<T>;
  post<T>(path: string, body: unknown, schema: z.ZodType<T>, options?: CallOptions): Promise<T>;
  delete<T>(path: string, schema: z.ZodType<T>, options?: CallOptions): Promise<T>;
  /** The body of a GET as bytes. */
  bytes(path: string, options?: CallOptions): Promise<Buffer>;
  /** Whether the last call was answered, and what is known of it, for a person. */
  reachability(): { reachable: boolean; detail: string };
  close(): Promise<void>;
}

/** Thrown inside for what another try may mend: there was no answer. */
class Away extends CodedError {}

export function createServiceClient(options: ServiceClientOptions): ServiceClient {
  return new HttpServiceClient(options);
}

type Method = 'GET' | 'POST' | 'DELETE';

class HttpServiceClient implements ServiceClient {
  readonly name: string;
  readonly baseUrl: string;
  readonly #options: ServiceClientOptions;
  readonly #agent = new Agent({ connections: CONNECTIONS_MAX, keepAliveTimeout: 30_000 });
  readonly #breaker: IPolicy;
  readonly #retried: IPolicy;
  #last = { reachable: false, detail: 'has not been called yet' };

  constructor(options: ServiceClientOptions) {
    this.name = options.name;
    this.baseUrl = options.baseUrl;
    this.#options = options;
    const away = handleWhen((error) => error instanceof Away);
    const backoff = new ExponentialBackoff({
      initialDelay: options.retryDelayMs,
      maxDelay: RETRY_DELAY_MAX_MS,
    });
    this.#breaker = circuitBreaker(away, {
      halfOpenAfter: BREAKER_HALF_OPEN_AFTER_MS,
      breaker: new ConsecutiveBreaker(BREAKER_FAILURES),
    });
    this.#retried = wrap(retry(away, { maxAttempts: options.retries, backoff }), this.#breaker);
  }

  async get<T>(path: string, schema: z.ZodType<T>, how: CallOptions = {}): Promise<T> {
    return this.#parsed(await this.#call('GET', path, undefined, how), schema, path);
  }

  async post<T>(path: string, body: unknown, schema: z.ZodType<T>, how: CallOptions = {}): Promise<T> {
    return this.#parsed(await this.#call('POST', path, body, how), schema, path);
  }

  async delete<T>(path: string, schema: z.ZodType<T>, how: CallOptions = {}): Promise<T> {
    return this.#parsed(await this.#call('DELETE', path, undefined, how), schema, path);
  }

  bytes(path: string, how: CallOptions = {}): Promise<Buffer> {
    return this.#call('GET', path, undefined, how);
  }

  reachability(): { reachable: boolean; detail: string } {
    return this.#last;
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  async #call(method: Method, path: string, body: unknown, how: CallOptions): Promise<Buffer> {
    const act = (): Promise<Buffer> => this.#exchange(method, path, body, how);
    if (how.once === true) return act();
    try {
      return method === 'GET' || how.repeatable === true
        ? await this.#retried.execute(act)
        : await this.#breaker.execute(act);
    } catch (error) {
      if (!isBrokenCircuitError(error)) throw error;
      throw new CodedError('service_unavailable', `${this.name} was away a moment ago: ${this.#last.detail}`);
    }
  }

  async #exchange(method: Method, path: string, body: unknown, how: CallOptions): Promise<Buffer> {
    const headers: Record<string, string> = { ...how.headers, accept: 'application/json' };
    if (body !== undefined) headers['content-type'] = 'application/json';
    if (this.#options.token !== null) headers['authorization'] = `Bearer ${this.#options.token}`;
    const timeLimit = AbortSignal.timeout(how.timeoutMs ?? this.#options.timeoutMs);
    let status: number;
    let bytes: Buffer;
    try {
      const response = await request(this.baseUrl + path, {
        method,
        headers,
        dispatcher: this.#agent,
        signal: how.signal === undefined ? timeLimit : AbortSignal.any([timeLimit, how.signal]),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      status = response.statusCode;
      bytes = Buffer.from(await response.body.arrayBuffer());
    } catch (error) {
      this.#last = {
        reachable: false,
        detail: `${this.name} does not answer at ${this.baseUrl} (${(error as Error).message})`,
      };
      throw new Away('service_unavailable', this.#last.detail, {}, { cause: error });
    }
    this.#last = { reachable: true, detail: 'answers' };
    if (status >= 400) throw errorFromResponse(status, parseJson(bytes), this.name);
    return bytes;
  }

  #parsed<T>(bytes: Buffer, schema: z.ZodType<T>, path: string): T {
    const result = schema.safeParse(parseJson(bytes));
    if (result.success) return result.data;
    throw new CodedError(
      'service_unavailable',
      `${this.name} answered ${path} with something that does not fit the contract: ${result.error.message}`,
    );
  }
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8')) as unknown;
  } catch {
    return undefined;
  }
}
