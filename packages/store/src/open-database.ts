// Which engine a service keeps its data in: Postgres where DATABASE_URL is set, else one SQLite file.
import type { CodedError } from '@jarvis/contracts';
import type { Database, Migration } from './database.ts';
import type { MigrationReport } from './migrations.ts';
import { openPostgres, type StoreClock, type StoreLog, type StoreRandom } from './postgres.ts';
import { rehearsePostgres } from './postgres-migrate.ts';
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
}

/** Brings the store up to date. Throws `service_unavailable` when another process has it, or when it is away. */
export async function openDatabase(options: OpenOptions): Promise<Database> {
  const { databaseUrl, file, migrations } = options;
  return databaseUrl === null
    ? openSqlite({ path: file, migrations })
    : openPostgres({ ...options, url: databaseUrl });
}

/** What opening would apply: really done, on a copy or in a transaction that is rolled back, so that nothing is changed. */
export async function rehearseMigrations(place: StorePlace): Promise<MigrationReport> {
  const { databaseUrl, file, migrations } = place;
  return databaseUrl === null
    ? rehearseSqlite({ path: file, migrations })
    : rehearsePostgres({ ...place, url: databaseUrl });
}
