// Asks JARVIS Core for a lock until it is granted. A request whose answer was lost may have been granted: it is sent again
// with the same id, and called off by it when nobody wants it any more.
import {
  type CodedError,
  isCodedError,
  LOCK_WAIT_SECONDS_MAX,
  lockCancelledSchema,
  lockGrantedSchema,
} from '@jarvis/contracts';
import type { Clock } from '../clock.ts';
import type { Random } from '../random.ts';
import type { ServiceClient } from '../service-client.ts';

/** How long an answer may take that needs no waiting. */
export const LOCK_ANSWER_MS_MAX = 5_000;
/** A JARVIS Core that was never there is not up; one that was is being restarted. */
const AWAY_AT_FIRST_MS_MAX = 1_000;
const AWAY_LATER_MS_MAX = 60_000;
const ASK_AGAIN_MS = 200;
const ASK_AGAIN_OVERLOADED_MS = 1_000;
/** The first call is a short one: whoever waits soon knows for whom. */
const FIRST_WAIT_MS = 500;
/** Nobody was there to take the request. Whatever else goes wrong, somebody was. */
const NOT_REACHED: readonly string[] = [
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
];

export interface LockAsking {
  readonly client: ServiceClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly name: string;
  readonly holder: string;
  readonly ttlMs: number;
  /** Infinity: for as long as it takes. */
  readonly waitMs: number;
  /** For how long JARVIS Core may be away when it was not there from the beginning; one that was may be restarted. */
  readonly awayMs?: number;
  /** Calls it off; `askForLock` then throws what it fired with. */
  readonly signal?: AbortSignal;
  /** Told each time that it is not granted yet, and why. */
  readonly onWait?: (problem: CodedError) => void;
}

export interface GrantedLock {
  readonly token: number;
  readonly ttlMs: number;
  /** By the monotonic clock, when the request was sent that was answered: no earlier than this its time began. */
  readonly sentMs: number;
}

/** Throws `lock_held` when `waitMs` are over, `service_unavailable` when JARVIS Core is away for too long. */
export async function askForLock(asking: LockAsking): Promise<GrantedLock> {
  const { clock, random, signal } = asking;
  const giveUpMs = clock.monotonic() + asking.waitMs;
  const away = new Absence(clock, asking.awayMs ?? AWAY_AT_FIRST_MS_MAX);
  let requestId = random.id('lock');
  for (let callMsMax = FIRST_WAIT_MS; ; callMsMax = LOCK_WAIT_SECONDS_MAX * 1000) {
    const sentMs = clock.monotonic();
    const waitMs = Math.min(Math.max(giveUpMs - sentMs, 0), callMsMax);
    try {
      return { ...(await askOnce(asking, requestId, waitMs)), sentMs };
    } catch (error) {
      const isOver = clock.monotonic() >= giveUpMs;
      if (signal?.aborted === true || !mayAskAgain(error, away, isOver)) {
        await callOff(asking, requestId);
        signal?.throwIfAborted();
        throw error;
      }
      if (isCodedError(error, 'request_ended')) requestId = random.id('lock');
      else if (away.wasThere) asking.onWait?.(error);
      // A call that has waited keeps its place only if the next one follows.
      const pauseMs = isCodedError(error, 'overloaded') ? ASK_AGAIN_OVERLOADED_MS : ASK_AGAIN_MS;
      if (clock.monotonic() - sentMs < pauseMs) await clock.sleep(pauseMs, signal);
    }
  }
}

async function askOnce(
  { client, name, holder, ttlMs, signal }: LockAsking,
  requestId: string,
  waitMs: number,
): Promise<{ token: number; ttlMs: number }> {
  const body = { holder, request_id: requestId, ttl_seconds: ttlMs / 1000, wait_seconds: waitMs / 1000 };
  const { token, ttl_seconds } = await client.post(lockPath(name, 'acquire'), body, lockGrantedSchema, {
    once: true,
    timeoutMs: waitMs + LOCK_ANSWER_MS_MAX,
    ...(signal === undefined ? {} : { signal }),
  });
  return { token, ttlMs: ttl_seconds * 1000 };
}

/** As far as anybody can: if this does not arrive either, its time ends what it was granted. */
async function callOff({ client, name }: LockAsking, requestId: string): Promise<void> {
  const how = { once: true, timeoutMs: LOCK_ANSWER_MS_MAX };
  await client
    .post(lockPath(name, 'cancel'), { request_id: requestId }, lockCancelledSchema, how)
    .catch(() => undefined);
}

function mayAskAgain(error: unknown, away: Absence, isOver: boolean): error is CodedError {
  if (!isCodedError(error)) return false;
  if (error.code === 'service_unavailable') return away.isShort(error);
  away.end();
  return (
    error.code === 'request_ended' || (!isOver && (error.code === 'lock_held' || error.code === 'overloaded'))
  );
}

/** For how long nothing was answered. */
class Absence {
  readonly #clock: Clock;
  #sinceMs: number | null = null;
  #limitMs: number;
  #wasThere = false;

  constructor(clock: Clock, limitMs: number) {
    this.#clock = clock;
    this.#limitMs = limitMs;
  }

  get wasThere(): boolean {
    return this.#wasThere;
  }

  isShort(error: CodedError): boolean {
    const code = (error.cause as { code?: string } | undefined)?.code ?? '';
    if (!NOT_REACHED.includes(code)) this.#reached();
    this.#sinceMs ??= this.#clock.monotonic();
    return this.#clock.monotonic() - this.#sinceMs < this.#limitMs;
  }

  end(): void {
    this.#sinceMs = null;
    this.#reached();
  }

  #reached(): void {
    this.#wasThere = true;
    this.#limitMs = Math.max(this.#limitMs, AWAY_LATER_MS_MAX);
  }
}

export function lockPath(name: string, action: 'acquire' | 'renew' | 'release' | 'cancel'): string {
  return `/api/locks/${encodeURIComponent(name)}/${action}`;
}
