// The two engines that the system is hurt on: SQLite in its home, and a database of its own on a Postgres server.
import { randomUUID } from 'node:crypto';
import { findPostgres, onServer, stopPostgres } from '@jarvis/testkit';

export const ENGINES = ['SQLite', 'Postgres'] as const;
export type Engine = (typeof ENGINES)[number];

/** Gives `work` the environment in which the services use this engine. Throws when it is not here. */
export async function onEngine<T>(
  engine: Engine,
  work: (environment: Readonly<Record<string, string>>) => Promise<T>,
): Promise<T> {
  if (engine === 'SQLite') return work({ DATABASE_URL: '' });
  const server = await findPostgres();
  if (!server.ok) throw new Error(server.reason);
  const name = `jarvis_chaos_${randomUUID().replaceAll('-', '')}`;
  await onServer(server.url, `CREATE DATABASE ${name}`);
  const url = new URL(server.url);
  url.pathname = `/${name}`;
  try {
    return await work({ DATABASE_URL: url.href });
  } finally {
    await onServer(server.url, `DROP DATABASE ${name} WITH (FORCE)`);
    await stopPostgres();
  }
}
