// What an error of Postgres, or of the way there, means to a caller. Branches on SQLSTATE, never on messages.
import { CodedError } from '@jarvis/contracts';
import { DatabaseError } from 'pg';

export const RETRY_AFTER_SECONDS = 1;

const DISK_FULL = '53100';
const QUERY_CANCELED = '57014';
const LOCK_NOT_AVAILABLE = '55P03';
const READ_ONLY = '25006';
const NO_SUCH_DATABASE = '3D000';
const INSUFFICIENT_PRIVILEGE = '42501';
/** What a server says when it cannot serve a connection, now or any more. */
const AWAY = /^(08|53|57P)/;
/** After these a session is gone, or nobody knows what it did. (The severity would say it too, but in the server's language.) */
const BROKEN = /^(08|57P|58|XX)/;
const REFUSED_LOGIN = /^28/;

/** Where the database is, as a person may read it: never with the password. */
export function placeOf(url: string): string {
  const parsed = URL.parse(url);
  return parsed === null ? 'DATABASE_URL' : `${parsed.host || 'a local socket'}${parsed.pathname}`;
}

/** Whether the connection that it came from is of no more use. Whatever is not the server's own answer is about the connection. */
export function breaksConnection(error: unknown): boolean {
  if (error instanceof CodedError || error instanceof TypeError) return false;
  if (!(error instanceof DatabaseError)) return true;
  return BROKEN.test(error.code ?? '');
}

/** `error` comes from a call of the driver; errors of other code are not for here. */
export function translatePostgres(error: unknown, place: string): unknown {
  if (error instanceof CodedError || error instanceof TypeError) return error;
  if (!(error instanceof DatabaseError)) return awayError(place, { cause: error });
  const because = { cause: error };
  const code = error.code ?? '';
  if (code === DISK_FULL)
    return new CodedError(
      'storage_full',
      `no space is left for Postgres at ${place}: free some and try again`,
      {},
      because,
    );
  if (code === QUERY_CANCELED || code === LOCK_NOT_AVAILABLE)
    return new CodedError(
      'service_unavailable',
      `Postgres at ${place} took too long for a statement (${code}), which was called off`,
      { retry_after_seconds: RETRY_AFTER_SECONDS },
      because,
    );
  if (AWAY.test(code)) return awayError(place, because);
  if (code === NO_SUCH_DATABASE || REFUSED_LOGIN.test(code))
    return new CodedError(
      'internal',
      `Postgres at ${place} refuses this login (${error.message}): correct DATABASE_URL, or create the database`,
      {},
      because,
    );
  if (code === READ_ONLY || code === INSUFFICIENT_PRIVILEGE)
    return new CodedError(
      'internal',
      `Postgres at ${place} does not let this user write (${error.message}): DATABASE_URL has to name a primary and a user that may create a schema`,
      {},
      because,
    );
  return error;
}

export function awayError(
  place: string,
  options: ErrorOptions & { readonly retryAfterSeconds?: number } = {},
): CodedError {
  const { retryAfterSeconds = RETRY_AFTER_SECONDS, ...because } = options;
  return new CodedError(
    'service_unavailable',
    `Postgres at ${place} does not answer`,
    { retry_after_seconds: retryAfterSeconds },
    because,
  );
}

export function outcomeUnknown(place: string, cause: unknown): CodedError {
  return new CodedError(
    'service_unavailable',
    `the connection to Postgres at ${place} broke in a commit: it may be stored or not`,
    { retry_after_seconds: RETRY_AFTER_SECONDS },
    { cause },
  );
}
