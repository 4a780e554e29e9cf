// Which engine a service keeps its data in: Postgres where DATABASE_URL is set, else one SQLite file. The driver of
// Postgres is loaded only where it is used: it costs a service some 20 ms of its start.
import type { CodedError } from '@jarvis/contracts';
import type { Database, Migration } from './database.ts';
import type { MigrationReport } from './migrations.ts';
import { observed, type TransactionSeen } from './observed.ts';
import type { StoreClock, StoreLog, StoreRandom } from './postgres-writer.ts';
import { openSqlite, rehearseSqlite } from './sqlite.ts';

export interface StorePlace {
  /** null: SQLite. */
  readonly databaseUrl: string | null;
  readonly schema: string;
  /** The SQLite file. */
  readonly file: string;
  /** How a person calls the service. */
  readonly service: string;
  readonly migrations: readonly Migration[];
}

export interface OpenOptions extends StorePlace {
  readonly clock: StoreClock;
  readonly random: StoreRandom;
  readonly log: StoreLog;
  /** Called when the data was taken by another process: the service has to stop. */
  readonly onLost: (error: CodedError) => void;
  readonly onTransaction?: (seen: TransactionSeen) => void;
}

/** Brings the store up to date. Throws `service_unavailable` when another process has it, or when it is away. */
export async function openDatabase(options: OpenOptions): Promise<Database> {
  const db = await openEngine(options);
  const { clock, onTransaction } = options;
  return onTransaction === undefined ? db : observed(db, clock, onTransaction);
}

async function openEngine(options: OpenOptions): Promise<Database> {
  const { databaseUrl, file, migrations } = options;
  if (databaseUrl === null) return openSqlite({ path: file, migrations });
  const { openPostgres } = await import('./postgres.ts');
  return openPostgres({ ...options, url: databaseUrl });
}

/** What opening would apply: really done, on a copy or in a transaction that is rolled back, so that nothing is changed. */
export async function rehearseMigrations(place: StorePlace): Promise<MigrationReport> {
  const { databaseUrl, file, migrations } = place;
  if (databaseUrl === null) return rehearseSqlite({ path: file, migrations });
  const { rehearsePostgres } = await import('./postgres-migrate.ts');
  return rehearsePostgres({ ...place, url: databaseUrl });
}
