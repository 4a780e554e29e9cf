// Both engines of the store, for a test to run on each: a database of its own for every test, gone after it.
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { after, type TestContext } from 'node:test';
import { type Database, type Migration, openDatabase, type StorePlace } from '@jarvis/store';
import { Client, type QueryResult } from 'pg';
import { afterwards } from './afterwards.ts';
import { findPostgres, stopPostgres } from './postgres-server.ts';
import { seededRandom } from './seeded-random.ts';
import { tempFolder } from './temp-folder.ts';

export interface StoreEngine {
  readonly name: 'sqlite' | 'postgres';
  /** Why it cannot be tested here; false when it can. Give it to `test`. */
  readonly skip: string | false;
  /** A place of its own for this test, empty. */
  place(t: TestContext, migrations: readonly Migration[]): Promise<StorePlace>;
  /** Opens such a place; closed when the test ends. */
  open(t: TestContext, migrations: readonly Migration[]): Promise<Database>;
}

/** To be awaited at the top of a test file. */
export async function storeEngines(): Promise<readonly StoreEngine[]> {
  const server = await findPostgres();
  after(stopPostgres);
  const sqlite = engine('sqlite', false, async () => null);
  const postgres = server.ok
    ? engine('postgres', false, (t) => createTestDatabase(t, server.url))
    : engine('postgres', server.reason, () => Promise.reject(new Error(server.reason)));
  return [sqlite, postgres];
}

function engine(
  name: StoreEngine['name'],
  skip: string | false,
  urlFor: (t: TestContext) => Promise<string | null>,
): StoreEngine {
  const place: StoreEngine['place'] = async (t, migrations) => ({
    databaseUrl: await urlFor(t),
    schema: 'test_store',
    file: join(await tempFolder(t), 'test.db'),
    service: 'test store',
    migrations,
  });
  return {
    name,
    skip,
    place,
    open: async (t, migrations) => {
      const db = await openTestStore(await place(t, migrations));
      afterwards(t, () => db.close());
      return db;
    },
  };
}

let opened = 0;

/** Real time, chance from a seed, silence; losing the schema is a failure of the test. */
export function openTestStore(
  place: StorePlace,
  onLost: (error: Error) => void = (error) => {
    throw error;
  },
): Promise<Database> {
  opened += 1;
  const seed = opened;
  const random = seededRandom(seed);
  return openDatabase({
    ...place,
    clock: testClock,
    // Two openings of one place are two holders.
    random: { unit: () => random.unit(), id: (prefix) => `${prefix}-${process.pid}-${seed}` },
    log: { info: () => undefined, warn: () => undefined },
    onLost,
  });
}

const testClock = {
  monotonic: () => performance.now(),
  sleep: (ms: number, signal?: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      if (signal?.aborted === true) return resolve();
      const timer = setTimeout(resolve, ms);
      signal?.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true });
    }),
};

/** Makes a database with a random name on the server; dropped when the test ends. Returns its URL. */
export async function createTestDatabase(t: TestContext, serverUrl: string): Promise<string> {
  const name = `jarvis_test_${randomUUID().replaceAll('-', '')}`;
  await onServer(serverUrl, `CREATE DATABASE ${name}`);
  afterwards(t, () => onServer(serverUrl, `DROP DATABASE ${name} WITH (FORCE)`));
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return url.href;
}

/** Runs a statement that is no store's, on a connection of its own. */
export async function onServer(url: string, statement: string): Promise<QueryResult> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return await client.query(statement);
  } finally {
    await client.end();
  }
}
