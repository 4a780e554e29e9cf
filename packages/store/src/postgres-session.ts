// A session with Postgres as this house needs it: its schema, its limits, its numbers.
import { Client, type ClientBase, type ClientConfig, type CustomTypesConfig, escapeIdentifier } from 'pg';
import { unsafeNumber } from './values.ts';

const CONNECT_TIMEOUT_MS = 5_000;
/** No statement of a store is meant to take longer; the server calls it off. */
export const STATEMENT_TIMEOUT_MS = 30_000;
/** For a server that is not heard of any more: a little later than it would have called the statement off itself. */
const ANSWER_TIMEOUT_MS = STATEMENT_TIMEOUT_MS + 5_000;
/** By when each side notices that the other's machine is gone: 30 s of silence, then 3 probes 10 s apart. */
const KEEPALIVE_IDLE_MS = 30_000;
const KEEPALIVE_INTERVAL_S = 10;
const KEEPALIVE_PROBES = 3;

export interface SessionOptions {
  readonly url: string;
  readonly schema: string;
  /** Shown in pg_stat_activity. */
  readonly service: string;
}

export function sessionConfig(options: SessionOptions): ClientConfig {
  return {
    connectionString: options.url,
    application_name: options.service,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    query_timeout: ANSWER_TIMEOUT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEPALIVE_IDLE_MS,
    types: { getTypeParser: parserOf as CustomTypesConfig['getTypeParser'] },
  };
}

/** To be run on each new session. An acknowledged commit is on disk, whatever the server's default is. */
export async function prepareSession(client: ClientBase, schema: string): Promise<void> {
  await client.query(`
    SET search_path TO ${escapeIdentifier(schema)};
    SET tcp_keepalives_idle = ${KEEPALIVE_IDLE_MS / 1000};
    SET tcp_keepalives_interval = ${KEEPALIVE_INTERVAL_S};
    SET tcp_keepalives_count = ${KEEPALIVE_PROBES};
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'`);
}

export async function connectSession(options: SessionOptions): Promise<Client> {
  const client = new Client(sessionConfig(options));
  // A connection that breaks while it is set up is told of by what is awaited; the caller puts its own listener beside.
  client.on('error', () => undefined);
  try {
    await client.connect();
    await prepareSession(client, options.schema);
    return client;
  } catch (error) {
    await endSession(client);
    throw error;
  }
}

/** Never throws: who ends a session has no more use for it. */
export async function endSession(client: Client): Promise<void> {
  await client.end().catch(() => undefined);
}

const BOOL = 16;
const NUMBERS: ReadonlySet<number> = new Set([20, 21, 23, 26, 700, 701, 1700]);

/** Numbers as SQLite answers them: whatever their width a JavaScript number, true and false as 1 and 0; the rest as text. */
function parserOf(oid: number): (text: string) => unknown {
  if (oid === BOOL) return (text) => (text === 't' ? 1 : 0);
  return NUMBERS.has(oid) ? parseNumber : (text) => text;
}

function parseNumber(text: string): number {
  const value = Number(text);
  if (/^-?\d+$/.test(text) && !Number.isSafeInteger(value)) throw unsafeNumber();
  return value;
}
