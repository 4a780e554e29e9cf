// Databases of a bench's own on the Postgres server, dropped when it is over.
import { findPostgres, onServer, stopPostgres } from '@jarvis/testkit';

export interface PostgresDatabases {
  readonly version: string;
  /** Makes an empty database; answers its URL. */
  make(name: string): Promise<string>;
}

/** Gives `work` the server, one that waits for the disk; null, with a word on stderr, where there is none. */
export async function withPostgres<T>(work: (databases: PostgresDatabases | null) => Promise<T>): Promise<T> {
  const server = await findPostgres(true);
  if (!server.ok) {
    process.stderr.write(`Postgres is not measured: ${server.reason}\n`);
    return work(null);
  }
  const made: string[] = [];
  try {
    const version = (await onServer(server.url, 'SHOW server_version')).rows[0] as { server_version: string };
    return await work({
      version: version.server_version,
      make: async (name) => {
        const database = `jarvis_bench_${process.pid}_${name}`;
        await onServer(server.url, `CREATE DATABASE ${database}`);
        made.push(database);
        const url = new URL(server.url);
        url.pathname = `/${database}`;
        return url.href;
      },
    });
  } finally {
    for (const name of made) await onServer(server.url, `DROP DATABASE ${name} WITH (FORCE)`);
    await stopPostgres();
  }
}
