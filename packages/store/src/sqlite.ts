// SQLite driver: one connection that writes, one that reads committed data (WAL), durable at each commit.
import { createHash } from 'node:crypto';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { CodedError } from '@jarvis/contracts';
import { failpoint } from '@jarvis/failpoints';
import type { Database, Migration, Reader, Row, Sql, Step, Transaction } from './database.ts';

const BUSY_TIMEOUT_MS = 5_000;
const STATEMENT_CACHE_MAX = 256;

const SQLITE_FULL = 13;
const SQLITE_READONLY = 8;
const SQLITE_CANTOPEN = 14;

export interface SqliteOptions {
  readonly path: string;
  readonly migrations: readonly Migration[];
}

export async function openSqlite(options: SqliteOptions): Promise<Database> {
  const writer = open(options.path, false);
  try {
    migrate(writer.connection, options.migrations);
  } catch (error) {
    writer.connection.close();
    throw translate(error, options.path);
  }
  const reader = open(options.path, true);
  return new SqliteDatabase(options.path, writer, reader);
}

class Connection {
  readonly connection: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(connection: DatabaseSync) {
    this.connection = connection;
  }

  statement(text: string): StatementSync {
    const known = this.#statements.get(text);
    if (known !== undefined) return known;
    if (this.#statements.size >= STATEMENT_CACHE_MAX) this.#statements.clear();
    const made = this.connection.prepare(text);
    this.#statements.set(text, made);
    return made;
  }
}

function open(path: string, readOnly: boolean): Connection {
  try {
    const connection = new DatabaseSync(path, { readOnly, timeout: BUSY_TIMEOUT_MS });
    if (!readOnly) connection.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
    connection.exec('PRAGMA foreign_keys = ON');
    return new Connection(connection);
  } catch (error) {
    throw translate(error, path);
  }
}

class SqliteDatabase implements Database {
  readonly #path: string;
  readonly #writer: Connection;
  readonly #reader: Connection;
  #tail: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(path: string, writer: Connection, reader: Connection) {
    this.#path = path;
    this.#writer = writer;
    this.#reader = reader;
  }

  async all<T extends object = Row>(query: Sql): Promise<T[]> {
    return readAll<T>(this.#reader, query);
  }

  async get<T extends object = Row>(query: Sql): Promise<T | undefined> {
    return readOne<T>(this.#reader, query);
  }

  transaction<T>(step: Step, work: (tx: Transaction) => Promise<T>): Promise<T> {
    const result = this.#tail.then(() => this.#transact(step, work));
    this.#tail = result.catch(() => undefined);
    return result;
  }

  async #transact<T>(step: Step, work: (tx: Transaction) => Promise<T>): Promise<T> {
    if (this.#closed) throw new CodedError('service_unavailable', 'the store is closed');
    const afterCommit: (() => void)[] = [];
    let result: T;
    try {
      this.#writer.connection.exec('BEGIN IMMEDIATE');
      result = await work(transactionOn(this.#writer, afterCommit));
      failpoint(step, 'before');
      this.#writer.connection.exec('COMMIT');
    } catch (error) {
      if (this.#writer.connection.isTransaction) this.#writer.connection.exec('ROLLBACK');
      throw translate(error, this.#path);
    }
    failpoint(step, 'after');
    for (const action of afterCommit) action();
    return result;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    await this.#tail;
    this.#closed = true;
    this.#reader.connection.close();
    this.#writer.connection.close();
  }
}

function transactionOn(on: Connection, afterCommit: (() => void)[]): Transaction {
  return {
    all: async <T extends object>(query: Sql) => readAll<T>(on, query),
    get: async <T extends object>(query: Sql) => readOne<T>(on, query),
    run: async (query) => Number(on.statement(query.sql).run(...valuesOf(query)).changes),
    afterCommit: (action) => void afterCommit.push(action),
  } satisfies Reader & Transaction;
}

function readAll<T extends object>(on: Connection, query: Sql): T[] {
  return on.statement(query.sql).all(...valuesOf(query)) as T[];
}

function readOne<T extends object>(on: Connection, query: Sql): T | undefined {
  return on.statement(query.sql).get(...valuesOf(query)) as T | undefined;
}

/** Both engines are given text, numbers and null; booleans become 0 and 1, anything else is a programmer's error. */
function valuesOf(query: Sql): SQLInputValue[] {
  return query.values.map((value) => {
    if (typeof value === 'boolean') return value ? 1 : 0;
    if (value === null || typeof value === 'string' || typeof value === 'number') return value;
    throw new TypeError(`cannot store a ${typeof value}: encode it first`);
  });
}

function migrate(connection: DatabaseSync, migrations: readonly Migration[]): void {
  connection.exec(
    'CREATE TABLE IF NOT EXISTS migrations (id INTEGER PRIMARY KEY, name TEXT NOT NULL, sha256 TEXT NOT NULL)',
  );
  const done = new Map(
    (connection.prepare('SELECT id, sha256 FROM migrations').all() as { id: number; sha256: string }[]).map(
      (r) => [r.id, r.sha256],
    ),
  );
  if (done.size > migrations.length) {
    throw new CodedError(
      'internal',
      `this home was written by a newer version (it has ${done.size} migrations, this one knows ${migrations.length}): use that version`,
    );
  }
  for (const migration of migrations) {
    const sha256 = createHash('sha256').update(migration.sql).digest('hex');
    const before = done.get(migration.id);
    if (before === sha256) continue;
    if (before !== undefined)
      throw new CodedError(
        'internal',
        `migration ${migration.id} (${migration.name}) was changed after it had been applied`,
      );
    connection.exec('BEGIN IMMEDIATE');
    try {
      connection.exec(migration.sql);
      connection
        .prepare('INSERT INTO migrations (id, name, sha256) VALUES (?, ?, ?)')
        .run(migration.id, migration.name, sha256);
      connection.exec('COMMIT');
    } catch (error) {
      connection.exec('ROLLBACK');
      throw error;
    }
  }
}

function translate(error: unknown, path: string): unknown {
  const code = (error as { errcode?: number }).errcode;
  if (code === undefined) return error;
  const primary = code & 0xff;
  if (primary === SQLITE_FULL)
    return new CodedError(
      'storage_full',
      `no space is left for ${path}: free some and try again`,
      {},
      { cause: error },
    );
  if (primary === SQLITE_READONLY || primary === SQLITE_CANTOPEN) {
    return new CodedError(
      'internal',
      `cannot write ${path}: make the folder writable for this user, or set JARVIS_HOME elsewhere`,
      {},
      { cause: error },
    );
  }
  return error;
}
