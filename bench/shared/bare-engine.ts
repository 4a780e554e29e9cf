// The bare engines (`node:sqlite`, `pg`), durable at each commit, behind one small interface: what a program would do
// that has no store of ours.
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { Client } from 'pg';

export type Engine = 'SQLite' | 'Postgres';

export type Value = string | number | null;
export type BareRow = Readonly<Record<string, unknown>>;

/** One prepared statement, with `?` for each value; the rows that it answers. */
export type Execute = (statement: string, ...values: Value[]) => Promise<readonly BareRow[]>;

export interface BareEngine {
  readonly engine: Engine;
  transact(work: (execute: Execute) => Promise<void>): Promise<void>;
  close(): Promise<void>;
}

export function openBareSqlite(path: string, schema: string): BareEngine {
  const db = new DatabaseSync(path);
  db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; ${schema}`);
  const prepared = new Map<string, StatementSync>();
  const execute: Execute = async (text, ...values) => {
    const statement = prepared.get(text) ?? db.prepare(text);
    prepared.set(text, statement);
    return statement.all(...values);
  };
  return {
    engine: 'SQLite',
    transact: async (work) => {
      db.exec('BEGIN IMMEDIATE');
      await work(execute);
      db.exec('COMMIT');
    },
    close: async () => db.close(),
  };
}

export async function openBarePostgres(url: string, schema: string): Promise<BareEngine> {
  const client = new Client({ connectionString: url });
  // A database that is dropped after a failure ends this connection: the failure is what has to be seen.
  client.on('error', () => undefined);
  await client.connect();
  await client.query(schema);
  const names = new Map<string, { readonly name: string; readonly text: string }>();
  const execute: Execute = async (statement, ...values) => {
    let place = 0;
    const query = names.get(statement) ?? {
      name: `statement-${names.size}`,
      text: statement.replaceAll('?', () => `$${(place += 1)}`),
    };
    names.set(statement, query);
    return (await client.query<BareRow>({ ...query, values })).rows;
  };
  return {
    engine: 'Postgres',
    transact: async (work) => {
      await client.query('BEGIN');
      await work(execute);
      await client.query('COMMIT');
    },
    close: () => client.end(),
  };
}
