// Postgres driver: one session that writes, which is the schema's only writer, and a small pool that reads committed data.
import { failpoint } from '@jarvis/failpoints';
import { type Client, Pool, type QueryConfig } from 'pg';
import { type Database, raw, type Row, type Sql, sql, type Step, type Transaction } from './database.ts';
import { awayError, breaksConnection, outcomeUnknown, translatePostgres } from './postgres-errors.ts';
import { prepareSession, sessionConfig } from './postgres-session.ts';
import { type PostgresOptions, PostgresWriter } from './postgres-writer.ts';
import { Serial } from './serial.ts';
import { type Answer, OpenTransaction } from './transaction.ts';
import { valuesOf } from './values.ts';

const READERS_MAX = 4;
const READER_IDLE_MS = 60_000;
/** Statements that a session keeps parsed; what comes after them is parsed each time. */
const STATEMENTS_NAMED_MAX = 256;

export async function openPostgres(options: PostgresOptions): Promise<Database> {
  const writer = new PostgresWriter(options);
  await writer.open();
  return new PostgresDatabase(options, writer);
}

class PostgresDatabase implements Database {
  readonly #writer: PostgresWriter;
  readonly #readers: Pool;
  readonly #names = new Map<string, string>();
  readonly #serial = new Serial('transactions');
  #closing: Promise<void> | null = null;

  constructor(options: PostgresOptions, writer: PostgresWriter) {
    this.#writer = writer;
    this.#readers = new Pool({
      ...sessionConfig(options),
      max: READERS_MAX,
      idleTimeoutMillis: READER_IDLE_MS,
      // oxlint-disable-next-line typescript/no-misused-promises -- the pool waits for it, its types do not say so
      onConnect: (client) => prepareSession(client, options.schema),
    });
    // An idle reader whose connection breaks is thrown away by the pool; without a listener it would end the process.
    this.#readers.on('error', () => undefined);
  }

  async all<T extends object = Row>(query: Sql): Promise<T[]> {
    return (await this.#read(query)) as T[];
  }

  async get<T extends object = Row>(query: Sql): Promise<T | undefined> {
    return (await this.#read(query))[0] as T | undefined;
  }

  async #read(query: Sql): Promise<object[]> {
    // What another process writes is no longer ours to answer for, and during an outage nobody is made to wait.
    this.#writer.assertUsable();
    const config = this.#configOf(query);
    try {
      return (await this.#readers.query(config)).rows as object[];
    } catch (error) {
      throw translatePostgres(error, this.#writer.place);
    }
  }

  transaction<T>(step: Step, work: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.#serial.run(() => this.#transact(step, work));
  }

  async #transact<T>(step: Step, work: (tx: Transaction) => Promise<T>): Promise<T> {
    const client = this.#writer.client();
    await this.#driver(client, () => this.#writer.begin(client));
    const tx = new OpenTransaction((query) => this.#execute(client, query));
    let result: T;
    try {
      result = await work(tx);
      await tx.settle();
    } catch (error) {
      await tx.settle().catch(() => undefined);
      await this.#rollBack(client);
      throw error;
    }
    failpoint(step, 'before');
    await this.#commit(client);
    failpoint(step, 'after');
    tx.committed();
    return result;
  }

  async #execute(client: Client, query: Sql): Promise<Answer> {
    const config = this.#configOf(query);
    const { rows, rowCount } = await this.#driver(client, () => client.query(config));
    return { rows: rows as object[], changes: rowCount ?? 0 };
  }

  async #commit(client: Client): Promise<void> {
    // A session that is gone before it was asked to commit has not committed.
    if (this.#writer.client() !== client) throw awayError(this.#writer.place);
    try {
      await client.query('COMMIT');
    } catch (error) {
      this.#writer.noteError(client, error);
      if (breaksConnection(error)) throw outcomeUnknown(this.#writer.place, error);
      throw translatePostgres(error, this.#writer.place);
    }
  }

  /** Where this fails the session is gone, and with it the transaction; the caller has an error to tell already. */
  async #rollBack(client: Client): Promise<void> {
    try {
      await client.query('ROLLBACK');
    } catch (error) {
      this.#writer.noteError(client, error);
    }
  }

  async #driver<T>(client: Client, call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      this.#writer.noteError(client, error);
      throw translatePostgres(error, this.#writer.place);
    }
  }

  #configOf(query: Sql): QueryConfig {
    const { text } = query;
    const config = { text, values: valuesOf(query.values) };
    const known = this.#names.get(text);
    if (known === undefined && this.#names.size >= STATEMENTS_NAMED_MAX) return config;
    const name = known ?? `s${this.#names.size}`;
    this.#names.set(text, name);
    return { ...config, name };
  }

  async refreshStatistics(table: string): Promise<void> {
    await this.#read(sql`ANALYZE ${raw(table)}`);
  }

  onReconnected(listener: () => void): void {
    this.#writer.onReconnected(listener);
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  async #close(): Promise<void> {
    await this.#serial.close();
    await this.#writer.close();
    await this.#readers.end();
  }
}
