// The demo's calls: each goes on through a service that is killed and comes back, within a limit.
import { CodedError, ERROR_CODES, type ServiceName } from '@jarvis/contracts';
import { type Clock, createServiceClient, type ServiceClient } from '@jarvis/runtime';
import type { z } from 'zod';
import { SERVICE_TITLES } from '@jarvis/supervisor';

/** A service that is away for longer than this is not coming back: the supervisor has given it up. */
const AWAY_MAX_MS = 60_000;
const RETRY_DELAY_FIRST_MS = 25;
const RETRY_DELAY_MAX_MS = 500;
const CALL_TIMEOUT_MS = 30_000;

export interface Post {
  readonly headers?: Readonly<Record<string, string>>;
}

/** Calls that may all be repeated: commands, feedback by interaction, imports by key, and reads. */
export interface PatientClient {
  readonly baseUrl: string;
  get<T>(path: string, schema: z.ZodType<T>): Promise<T>;
  post<T>(path: string, body: unknown, schema: z.ZodType<T>, how?: Post): Promise<T>;
  close(): Promise<void>;
}

export interface PatientOptions {
  readonly service: ServiceName;
  readonly baseUrl: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

export function createPatientClient(options: PatientOptions): PatientClient {
  const { service, baseUrl } = options;
  const client: ServiceClient = createServiceClient({
    name: SERVICE_TITLES[service],
    baseUrl,
    timeoutMs: CALL_TIMEOUT_MS,
    retries: 0,
    retryDelayMs: 0,
    token: null,
    clock: options.clock,
  });
  return {
    baseUrl,
    get: (path, schema) => patiently(options, () => client.get(path, schema, { once: true })),
    post: (path, body, schema, how = {}) =>
      patiently(options, () => client.post(path, body, schema, { once: true, ...how })),
    close: () => client.close(),
  };
}

/** Repeats while the answer is that something is away (503, or none at all). */
export async function patiently<T>(
  { clock, signal }: Pick<PatientOptions, 'clock' | 'signal'>,
  call: () => Promise<T>,
): Promise<T> {
  const from = clock.monotonic();
  for (let delayMs = RETRY_DELAY_FIRST_MS; ; delayMs = Math.min(delayMs * 2, RETRY_DELAY_MAX_MS)) {
    signal.throwIfAborted();
    try {
      return await call();
    } catch (error) {
      const away = error instanceof CodedError && ERROR_CODES[error.code].status === 503;
      if (!away || clock.monotonic() - from > AWAY_MAX_MS) throw error;
      await clock.sleep(delayMs, signal);
    }
  }
}
