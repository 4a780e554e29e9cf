// Calls to another service: time limit, retries with jitter where a call may be repeated, circuit breaker, coded errors.
//
//   call -> retry (only what may be repeated) -> breaker -> exchange -> answer, with any status
//                  no answer counts as a failure, an error that was answered does not
import { type BreakerState, CodedError, type ServiceName } from '@jarvis/contracts';
import {
  circuitBreaker,
  type CircuitBreakerPolicy,
  CircuitState,
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
import { type Clock, isoNow } from './clock.ts';
import type { Meter } from './metrics/meter.ts';
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
  readonly clock: Clock;
  /** Where calls are counted, and under which peer. */
  readonly metered?: { readonly meter: Meter; readonly peer: ServiceName };
}

export interface CallOptions {
  /** May be sent again when it is not known whether it arrived. So may a GET, and what has an Idempotency-Key. */
  readonly repeatable?: boolean;
  /** No retries and no breaker: for probes, and where the caller has a loop of its own. */
  readonly once?: boolean;
  readonly headers?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
  /** Ends the call; its connection is closed, by which the other side knows. */
  readonly signal?: AbortSignal;
}

export interface Reachability {
  readonly reachable: boolean;
  /** For a person. */
  readonly detail: string;
  readonly since: string;
  readonly breaker: BreakerState;
  readonly consecutive_failures: number;
  readonly last_error: string | null;
}

export interface ServiceClient {
  readonly name: string;
  readonly baseUrl: string;
  get<T>(path: string, schema: z.ZodType<T>, options?: CallOptions): Promise<T>;
  /** As JSON; a Buffer goes as it is, with the content type that the options name. */
  post<T>(path: string, body: unknown, schema: z.ZodType<T>, options?: CallOptions): Promise<T>;
  delete<T>(path: string, schema: z.ZodType<T>, options?: CallOptions): Promise<T>;
  /** The body of a GET as bytes. */
  bytes(path: string, options?: CallOptions): Promise<Buffer>;
  /** Whether the last call was answered, since when that is so, and how the breaker stands. */
  reachability(): Reachability;
  close(): Promise<void>;
}

/** Thrown inside for what another try may mend: there was no answer. */
class Away extends CodedError {}

export function createServiceClient(options: ServiceClientOptions): ServiceClient {
  return new HttpServiceClient(options);
}

type Method = 'GET' | 'POST' | 'DELETE';
type Outcome = 'answered' | 'refused' | 'unanswered' | 'not_sent';

interface Answer {
  readonly status: number;
  readonly bytes: Buffer;
}

const BREAKER_STATE: Readonly<Record<CircuitState, BreakerState>> = {
  [CircuitState.Closed]: 'closed',
  [CircuitState.Open]: 'open',
  [CircuitState.HalfOpen]: 'half_open',
  [CircuitState.Isolated]: 'open',
};

class HttpServiceClient implements ServiceClient {
  readonly name: string;
  readonly baseUrl: string;
  readonly #options: ServiceClientOptions;
  readonly #agent = new Agent({ connections: CONNECTIONS_MAX, keepAliveTimeout: 30_000 });
  readonly #breaker: CircuitBreakerPolicy;
  readonly #retried: IPolicy;
  #reachable = false;
  #detail = 'has not been called yet';
  #since: string;
  #failures = 0;
  #lastError: string | null = null;

  constructor(options: ServiceClientOptions) {
    this.name = options.name;
    this.baseUrl = options.baseUrl;
    this.#options = options;
    this.#since = isoNow(options.clock);
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

  reachability(): Reachability {
    return {
      reachable: this.#reachable,
      detail: this.#detail,
      since: this.#since,
      breaker: BREAKER_STATE[this.#breaker.state],
      consecutive_failures: this.#failures,
      last_error: this.#lastError,
    };
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  async #call(method: Method, path: string, body: unknown, how: CallOptions): Promise<Buffer> {
    const act = (): Promise<Answer> => this.#exchange(method, path, body, how);
    const { status, bytes } = await this.#guarded(act, method, how);
    if (status >= 400) throw errorFromResponse(status, parseJson(bytes), this.name);
    return bytes;
  }

  async #guarded(act: () => Promise<Answer>, method: Method, how: CallOptions): Promise<Answer> {
    if (how.once === true) return act();
    try {
      return await (isRepeatable(method, how) ? this.#retried : this.#breaker).execute(act);
    } catch (error) {
      if (!isBrokenCircuitError(error)) throw error;
      this.#count('not_sent');
      throw new CodedError('service_unavailable', `${this.name} was away a moment ago: ${this.#detail}`);
    }
  }

  /** Any answer is one, whatever its status. Throws Away when there is none. */
  async #exchange(method: Method, path: string, body: unknown, how: CallOptions): Promise<Answer> {
    const { clock, token, timeoutMs } = this.#options;
    const headers: Record<string, string> = { ...how.headers, accept: 'application/json' };
    const raw = Buffer.isBuffer(body);
    if (body !== undefined && !raw) headers['content-type'] = 'application/json';
    if (token !== null) headers['authorization'] = `Bearer ${token}`;
    const from = clock.monotonic();
    const timeLimit = AbortSignal.timeout(how.timeoutMs ?? timeoutMs);
    try {
      const response = await request(this.baseUrl + path, {
        method,
        headers,
        dispatcher: this.#agent,
        signal: how.signal === undefined ? timeLimit : AbortSignal.any([timeLimit, how.signal]),
        ...(body === undefined ? {} : { body: raw ? body : JSON.stringify(body) }),
      });
      const bytes = Buffer.from(await response.body.arrayBuffer());
      this.#note(response.statusCode >= 400 ? 'refused' : 'answered', from);
      return { status: response.statusCode, bytes };
    } catch (error) {
      const detail = `${this.name} does not answer at ${this.baseUrl} (${(error as Error).message})`;
      this.#lastError = detail;
      this.#note('unanswered', from);
      throw new Away('service_unavailable', detail, {}, { cause: error });
    }
  }

  #note(outcome: Outcome, fromMs: number): void {
    const { clock, metered } = this.#options;
    const reachable = outcome !== 'unanswered';
    if (reachable !== this.#reachable) this.#since = isoNow(clock);
    this.#reachable = reachable;
    this.#detail = reachable ? 'answers' : (this.#lastError ?? '');
    this.#failures = reachable ? 0 : this.#failures + 1;
    this.#count(outcome);
    const seconds = (clock.monotonic() - fromMs) / 1000;
    metered?.meter.observe('jarvis_peer_call_duration_seconds', { peer: metered.peer }, seconds);
  }

  #count(outcome: Outcome): void {
    const { metered } = this.#options;
    metered?.meter.count('jarvis_peer_calls_total', { peer: metered.peer, outcome });
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

/** Whether sending it twice does what sending it once does. */
function isRepeatable(method: Method, { repeatable, headers = {} }: CallOptions): boolean {
  const named = Object.keys(headers).some((name) => name.toLowerCase() === 'idempotency-key');
  return method === 'GET' || repeatable === true || named;
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8')) as unknown;
  } catch {
    return undefined;
  }
}
