// Schema and migrations on Postgres: all that is pending in one transaction of the caller's, so that it can be rolled back.
import { type Client, escapeIdentifier, type QueryConfig, type QueryResultRow } from 'pg';
import type { Migration } from './database.ts';
import {
  type Applied,
  type MigrationReport,
  MIGRATIONS_TABLE,
  type Pending,
  pendingOf,
  reportOf,
} from './migrations.ts';
import { placeOf, translatePostgres } from './postgres-errors.ts';
import { connectSession, endSession, type SessionOptions } from './postgres-session.ts';

/** A migration may rewrite a large table. */
const MIGRATION_TIMEOUT_MS = 600_000;
/** A rehearsal beside a running service gives way rather than let that wait. */
const REHEARSAL_LOCK_TIMEOUT_MS = 2_000;

export interface PostgresMigrationOptions extends SessionOptions {
  readonly migrations: readonly Migration[];
}

/** To be called in a transaction. */
export async function applyMigrations(
  client: Client,
  { schema, migrations }: Pick<PostgresMigrationOptions, 'schema' | 'migrations'>,
): Promise<{ applied: number; pending: Pending[] }> {
  await client.query(`SET LOCAL statement_timeout = ${MIGRATION_TIMEOUT_MS}`);
  // Looked for first: IF NOT EXISTS needs the right to create even where nothing is to be created.
  const { rowCount } = await client.query('SELECT 1 FROM pg_namespace WHERE nspname = $1', [schema]);
  if (rowCount === 0) await client.query(`CREATE SCHEMA ${escapeIdentifier(schema)}`);
  await client.query(MIGRATIONS_TABLE);
  await client.query(
    'CREATE TABLE IF NOT EXISTS store_holder (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), holder TEXT NOT NULL)',
  );
  const { rows: applied } = await client.query<Applied & QueryResultRow>('SELECT id, sha256 FROM migrations');
  const pending = pendingOf(migrations, applied);
  for (const { id, name, sha256, sql } of pending) {
    await client.query({ text: sql, query_timeout: MIGRATION_TIMEOUT_MS } as QueryConfig);
    await client.query('INSERT INTO migrations (id, name, sha256) VALUES ($1, $2, $3)', [id, name, sha256]);
  }
  return { applied: applied.length, pending };
}

/** Applies what is pending in a transaction that is rolled back; needs no lock, the service may run beside it. */
export async function rehearsePostgres(options: PostgresMigrationOptions): Promise<MigrationReport> {
  const place = placeOf(options.url);
  try {
    const client = await connectSession(options);
    try {
      await client.query(`BEGIN; SET LOCAL lock_timeout = ${REHEARSAL_LOCK_TIMEOUT_MS}`);
      const { applied, pending } = await applyMigrations(client, options);
      await client.query('ROLLBACK');
      return reportOf({ engine: 'postgres', where: `${options.schema} at ${place}` }, { applied, pending });
    } finally {
      await endSession(client);
    }
  } catch (error) {
    throw translatePostgres(error, place);
  }
}

/** Drops a schema with everything in it. */
export async function dropSchema(options: SessionOptions): Promise<void> {
  try {
    const client = await connectSession(options);
    try {
      await client.query(`DROP SCHEMA IF EXISTS ${escapeIdentifier(options.schema)} CASCADE`);
    } finally {
      await endSession(client);
    }
  } catch (error) {
    throw translatePostgres(error, placeOf(options.url));
  }
}
