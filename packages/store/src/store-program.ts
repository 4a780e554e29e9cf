// What a person does with the data of a service that does not run: rehearse its migrations, apply them, drop a demo's.
// Answers as one line of JSON on stdout, errors in words on stderr.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { CodedError, ERROR_CODES } from '@jarvis/contracts';
import { takeHomeLock } from './home-lock.ts';
import type { MigrationReport } from './migrations.ts';
import { type OpenOptions, openDatabase, rehearseMigrations } from './open-database.ts';

const EXIT_FAILURE = 1;
const EXIT_UNAVAILABLE = 69;
/** Only what a demo has made is dropped: nothing that is somebody's data begins so. */
const DEMO_SCHEMA = /^demo_/;

export interface StoreProgramOptions extends Omit<OpenOptions, 'onLost'> {
  /** The folder of the service in its home. */
  readonly folder: string;
}

/** Answers the exit code. */
export async function runStoreProgram(
  verb: string | undefined,
  options: StoreProgramOptions,
): Promise<number> {
  try {
    process.stdout.write(`${JSON.stringify(await perform(verb, options))}\n`);
    return 0;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    return error instanceof CodedError && ERROR_CODES[error.code].status === 503
      ? EXIT_UNAVAILABLE
      : EXIT_FAILURE;
  }
}

async function perform(
  verb: string | undefined,
  options: StoreProgramOptions,
): Promise<MigrationReport | { dropped: string }> {
  switch (verb) {
    case 'rehearse':
      return rehearseMigrations(options);
    case 'migrate':
      return migrate(options);
    case 'drop':
      return drop(options);
    default:
      throw new CodedError('invalid_request', 'it has to be rehearse, migrate or drop');
  }
}

async function migrate(options: StoreProgramOptions): Promise<MigrationReport> {
  await mkdir(options.folder, { recursive: true, mode: 0o700 });
  const lock = takeHomeLock(join(options.folder, 'lock.db'), options.service);
  try {
    const report = await rehearseMigrations(options);
    const db = await openDatabase({ ...options, onLost: () => undefined });
    await db.close();
    return report;
  } finally {
    lock.release();
  }
}

async function drop({ databaseUrl, schema, service }: StoreProgramOptions): Promise<{ dropped: string }> {
  if (databaseUrl === null || !DEMO_SCHEMA.test(schema))
    throw new CodedError(
      'invalid_request',
      'only schemas of a demo are dropped: DATABASE_URL and a DATABASE_SCHEMA_PREFIX that begins with demo_ are needed',
    );
  const { dropSchema } = await import('./postgres-migrate.ts');
  await dropSchema({ url: databaseUrl, schema, service });
  return { dropped: schema };
}
