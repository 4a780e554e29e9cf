// The one session that writes to a schema. It holds an advisory lock for as long as it lives, so that a schema has one
// writer; and it left its name in `store_holder`, so that a writer that comes back after an outage knows whether
// somebody else was there meanwhile (docs/adr/0001-one-writer-of-a-postgres-schema.md).
//
//   connected --connection breaks--> away --lock and name are ours--> connected
//                                    away --somebody else has or had it--> lost
import { createHash } from 'node:crypto';
import { CodedError, invariant } from '@jarvis/contracts';
import { backoffMs } from '@jarvis/policy';
import type { Client, QueryResult, QueryResultRow } from 'pg';
import { applyMigrations, type PostgresMigrationOptions } from './postgres-migrate.ts';
import { awayError, breaksConnection, placeOf, translatePostgres } from './postgres-errors.ts';
import { connectSession, endSession } from './postgres-session.ts';
import { closedError } from './serial.ts';

const RECONNECT_BASE_MS = 200;
const RECONNECT_MAX_MS = 5_000;
/** The session of a process that was killed ends with its last statement: until then its lock is held. */
const LOCK_WAIT_MS = 10_000;
const LOCK_POLL_MS = 200;

export interface StoreClock {
  monotonic(): number;
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}
export interface StoreRandom {
  unit(): number;
  id(prefix: string): string;
}
export interface StoreLog {
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
}

export interface PostgresOptions extends PostgresMigrationOptions {
  readonly clock: StoreClock;
  readonly random: StoreRandom;
  readonly log: StoreLog;
  /** Called once, when another process has taken the schema: what this one remembers may be wrong, it has to stop. */
  readonly onLost: (error: CodedError) => void;
  readonly lockWaitMs?: number;
}

type State =
  | { readonly kind: 'connected'; readonly client: Client }
  | { readonly kind: 'away'; readonly retryAtMs: number }
  | { readonly kind: 'lost'; readonly error: CodedError }
  | { readonly kind: 'closed' };

interface Claim {
  readonly locked: 0 | 1;
  readonly holder: string | null;
}

export class PostgresWriter {
  readonly place: string;
  readonly #options: PostgresOptions;
  readonly #holder: string;
  readonly #lockKey: string;
  readonly #closing = new AbortController();
  readonly #listeners: (() => void)[] = [];
  #reconnecting: Promise<void> = Promise.resolve();
  #state: State;

  constructor(options: PostgresOptions) {
    this.#options = options;
    this.place = placeOf(options.url);
    this.#holder = options.random.id('holder');
    this.#lockKey = lockKeyOf(options.schema);
    this.#state = { kind: 'away', retryAtMs: 0 };
  }

  /** Takes the schema and brings it up to date. Throws `service_unavailable` when another process has it. */
  async open(): Promise<void> {
    let client: Client | null = null;
    try {
      client = await connectSession(this.#options);
      await this.#takeLock(client);
      await client.query('BEGIN');
      await applyMigrations(client, this.#options);
      await client.query(
        'INSERT INTO store_holder (only_row, holder) VALUES (1, $1) ON CONFLICT (only_row) DO UPDATE SET holder = excluded.holder',
        [this.#holder],
      );
      await client.query('COMMIT');
      this.#connected(client);
    } catch (error) {
      if (client !== null) await endSession(client);
      throw translatePostgres(error, this.place);
    }
  }

  onReconnected(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** The session to write with. Throws `service_unavailable` when there is none. */
  client(): Client {
    this.assertUsable();
    invariant(this.#state.kind === 'connected', 'a writer that is usable is connected');
    return this.#state.client;
  }

  /** Throws when nothing may be asked of this store now. */
  assertUsable(): void {
    const state = this.#state;
    switch (state.kind) {
      case 'connected':
        return;
      case 'away': {
        const waitMs = Math.max(0, state.retryAtMs - this.#options.clock.monotonic());
        throw awayError(this.place, { retryAfterSeconds: Math.max(1, Math.ceil(waitMs / 1000)) });
      }
      case 'lost':
        throw state.error;
      case 'closed':
        throw closedError();
    }
  }

  /**
   * Begins a transaction in which nobody else can take the schema: in the same breath it takes the lock again, which
   * costs nothing to the session that holds it, and no other can.
   */
  async begin(client: Client): Promise<void> {
    const results = (await client.query(
      `BEGIN ISOLATION LEVEL READ COMMITTED;
       SELECT pg_try_advisory_xact_lock(${this.#lockKey}) AS locked, (SELECT holder FROM store_holder) AS holder`,
    )) as unknown as QueryResult<Claim & QueryResultRow>[];
    const claim = results[1]?.rows[0];
    if (claim?.locked === 1 && claim.holder === this.#holder) return;
    throw this.#lose(client);
  }

  /** To be told of each error of the session: one that broke it starts the way back. */
  noteError(client: Client, error: unknown): void {
    if (breaksConnection(error)) this.#drop(client, error);
  }

  async close(): Promise<void> {
    const state = this.#state;
    if (state.kind === 'closed') return;
    this.#state = { kind: 'closed' };
    this.#closing.abort();
    await this.#reconnecting;
    if (state.kind === 'connected') await endSession(state.client);
  }

  #connected(client: Client): void {
    this.#state = { kind: 'connected', client };
    client.on('error', (error) => this.#drop(client, error));
    client.on('end', () => this.#drop(client, new Error('the session has ended')));
  }

  #drop(client: Client, error: unknown): void {
    if (this.#state.kind !== 'connected' || this.#state.client !== client) return;
    this.#options.log.warn({ err: error }, `Postgres at ${this.place} is away; trying to reach it again`);
    this.#state = { kind: 'away', retryAtMs: this.#options.clock.monotonic() };
    void endSession(client);
    this.#reconnecting = this.#reconnect();
  }

  /** Tries for as long as the service lives: there is nothing else that it could do without its data. */
  async #reconnect(): Promise<void> {
    const { clock, random, log } = this.#options;
    for (let attempt = 0; this.#state.kind === 'away'; attempt += 1) {
      const jitterMs = backoffMs({
        attempt,
        baseMs: RECONNECT_BASE_MS,
        maxMs: RECONNECT_MAX_MS,
        unit: random.unit(),
      });
      this.#state = { kind: 'away', retryAtMs: clock.monotonic() + jitterMs };
      await clock.sleep(jitterMs, this.#closing.signal);
      if (this.#closing.signal.aborted) return;
      try {
        await this.#resume();
      } catch (error) {
        if (attempt === 0) log.warn({ err: error }, `Postgres at ${this.place} cannot be reached yet`);
      }
    }
  }

  async #resume(): Promise<void> {
    const client = await connectSession(this.#options);
    try {
      const claim = await this.#claim(client);
      if (claim.holder !== this.#holder) throw this.#lose(client);
      // Our own former session may live on at the server for a while.
      if (claim.locked === 0) throw awayError(this.place);
    } catch (error) {
      await endSession(client);
      throw error;
    }
    if (this.#state.kind !== 'away') return await endSession(client);
    this.#connected(client);
    this.#options.log.info({}, `Postgres at ${this.place} is there again`);
    for (const listener of this.#listeners) listener();
  }

  /** Asks for the lock, then who wrote last: in this order, because only under the lock the answer stays true. */
  async #claim(client: Client): Promise<Claim> {
    const { rows: locks } = await client.query<Claim & QueryResultRow>(
      `SELECT pg_try_advisory_lock(${this.#lockKey}) AS locked`,
    );
    const { rows: holders } = await client.query<Claim & QueryResultRow>('SELECT holder FROM store_holder');
    return { locked: locks[0]?.locked ?? 0, holder: holders[0]?.holder ?? null };
  }

  async #takeLock(client: Client): Promise<void> {
    const { clock, lockWaitMs = LOCK_WAIT_MS } = this.#options;
    const deadlineMs = clock.monotonic() + lockWaitMs;
    for (;;) {
      const { rows } = await client.query<Claim & QueryResultRow>(
        `SELECT pg_try_advisory_lock(${this.#lockKey}) AS locked`,
      );
      if (rows[0]?.locked === 1) return;
      if (clock.monotonic() >= deadlineMs) throw await this.#takenError(client);
      await clock.sleep(LOCK_POLL_MS, this.#closing.signal);
    }
  }

  async #takenError(client: Client): Promise<CodedError> {
    const { service, schema } = this.#options;
    const { rows } = await client.query<{ pid: number; client: string | null; since: string }>(
      `SELECT a.pid, host(a.client_addr) AS client, a.backend_start AS since FROM pg_locks l JOIN pg_stat_activity a USING (pid)
       WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
         AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
         AND (l.classid::bigint << 32 | l.objid::bigint) = ${this.#lockKey}`,
    );
    const [other] = rows;
    const who =
      other === undefined
        ? ''
        : ` (session ${other.pid} from ${other.client ?? 'this machine'}, since ${other.since})`;
    return new CodedError(
      'service_unavailable',
      `another ${service} uses the schema ${schema} of Postgres at ${this.place}${who}: stop it first, or set DATABASE_SCHEMA_PREFIX`,
    );
  }

  #lose(client: Client): CodedError {
    const { service, schema } = this.#options;
    const error = new CodedError(
      'service_unavailable',
      `another ${service} has taken the schema ${schema} of Postgres at ${this.place}: this one no longer writes to it and stops`,
    );
    if (this.#state.kind === 'connected' || this.#state.kind === 'away') {
      this.#state = { kind: 'lost', error };
      void endSession(client);
      this.#options.onLost(error);
    }
    return error;
  }
}

/** 63 bits of a digest: other programs may use advisory locks in the same database. */
function lockKeyOf(schema: string): string {
  const digest = createHash('sha256').update(`jarvis store ${schema}`).digest();
  return (digest.readBigUInt64BE() >> 1n).toString();
}
