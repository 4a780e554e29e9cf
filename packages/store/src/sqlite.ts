// SQLite driver: one connection that writes, one that reads committed data (WAL), durable at each commit.
import { existsSync } from 'node:fs';
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { backup, DatabaseSync, type StatementSync } from 'node:sqlite';
import { CodedError } from '@jarvis/contracts';
import { failpoint } from '@jarvis/failpoints';
import type { Database, Migration, Row, Sql, Step, Transaction } from './database.ts';
import {
  type Applied,
  type MigrationReport,
  MIGRATIONS_TABLE,
  type Pending,
  pendingOf,
  reportOf,
} from './migrations.ts';
import { closedError, Serial } from './serial.ts';
import { type Answer, OpenTransaction } from './transaction.ts';
import { unsafeNumber, valuesOf } from './values.ts';

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

/** Applies what is pending to a copy, which is thrown away; the file itself stays as it is, also while it is used. */
export async function rehearseSqlite({ path, migrations }: SqliteOptions): Promise<MigrationReport> {
  const folder = await mkdtemp(join(tmpdir(), 'jarvis-rehearsal-'));
  try {
    const copy = join(folder, 'copy.db');
    if (existsSync(path)) await copyDatabase(path, copy);
    const connection = new DatabaseSync(copy);
    try {
      const { applied, pending } = migrate(connection, migrations);
      return reportOf({ engine: 'sqlite', where: path }, { applied, pending });
    } finally {
      connection.close();
    }
  } catch (error) {
    throw translate(error, path);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Without a log beside it the file is whole; with one it may be in use, and only SQLite can read both together. */
async function copyDatabase(path: string, copy: string): Promise<void> {
  if (!existsSync(`${path}-wal`)) return await copyFile(path, copy);
  const source = new DatabaseSync(path, { readOnly: true, timeout: BUSY_TIMEOUT_MS });
  try {
    await backup(source, copy);
  } finally {
    source.close();
  }
}

class Connection {
  readonly connection: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(connection: DatabaseSync) {
    this.connection = connection;
  }

  execute({ sql, values }: Sql, kind: 'all' | 'get' | 'run'): Answer {
    const statement = this.#statement(sql);
    const bound = valuesOf(values);
    switch (kind) {
      case 'all':
        return { rows: statement.all(...bound), changes: 0 };
      case 'get': {
        const row = statement.get(...bound);
        return { rows: row === undefined ? [] : [row], changes: 0 };
      }
      case 'run':
        return { rows: [], changes: Number(statement.run(...bound).changes) };
    }
  }

  #statement(text: string): StatementSync {
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
  readonly #serial = new Serial('transactions');
  #closing: Promise<void> | null = null;

  constructor(path: string, writer: Connection, reader: Connection) {
    this.#path = path;
    this.#writer = writer;
    this.#reader = reader;
  }

  async all<T extends object = Row>(query: Sql): Promise<T[]> {
    return this.#read(query, 'all').rows as T[];
  }

  async get<T extends object = Row>(query: Sql): Promise<T | undefined> {
    return this.#read(query, 'get').rows[0] as T | undefined;
  }

  #read(query: Sql, kind: 'all' | 'get'): Answer {
    if (this.#serial.closed) throw closedError();
    try {
      return this.#reader.execute(query, kind);
    } catch (error) {
      throw translate(error, this.#path);
    }
  }

  transaction<T>(step: Step, work: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.#serial.run(() => this.#transact(step, work));
  }

  async #transact<T>(step: Step, work: (tx: Transaction) => Promise<T>): Promise<T> {
    const { connection } = this.#writer;
    const tx = new OpenTransaction((query, kind) => this.#writer.execute(query, kind));
    let result: T;
    try {
      connection.exec('BEGIN IMMEDIATE');
      result = await work(tx);
      await tx.settle();
      failpoint(step, 'before');
      connection.exec('COMMIT');
    } catch (error) {
      await tx.settle().catch(() => undefined);
      if (connection.isTransaction) connection.exec('ROLLBACK');
      throw translate(error, this.#path);
    }
    failpoint(step, 'after');
    tx.committed();
    return result;
  }

  /** Never analysed, it goes by the shape of its indexes, however full they are. */
  refreshStatistics(): Promise<void> {
    return Promise.resolve();
  }

  /** A file does not go away. */
  onReconnected(): void {}

  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  async #close(): Promise<void> {
    await this.#serial.close();
    this.#reader.connection.close();
    this.#writer.connection.close();
  }
}

function migrate(
  connection: DatabaseSync,
  migrations: readonly Migration[],
): { applied: number; pending: Pending[] } {
  connection.exec(MIGRATIONS_TABLE);
  const applied = connection.prepare('SELECT id, sha256 FROM migrations').all() as unknown as Applied[];
  const pending = pendingOf(migrations, applied);
  for (const migration of pending) {
    connection.exec('BEGIN IMMEDIATE');
    try {
      connection.exec(migration.sql);
      connection
        .prepare('INSERT INTO migrations (id, name, sha256) VALUES (?, ?, ?)')
        .run(migration.id, migration.name, migration.sha256);
      connection.exec('COMMIT');
    } catch (error) {
      connection.exec('ROLLBACK');
      throw error;
    }
  }
  return { applied: applied.length, pending };
}

function translate(error: unknown, path: string): unknown {
  if ((error as NodeJS.ErrnoException).code === 'ERR_OUT_OF_RANGE') return unsafeNumber(error);
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
