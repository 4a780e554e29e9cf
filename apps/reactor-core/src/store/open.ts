// Opens what Reactor Core keeps: one SQLite file under a lock that makes this process its only writer.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config, Part } from '@jarvis/runtime';
import { createEventLog, type Database, type EventLog, openSqlite, takeHomeLock } from '@jarvis/store';
import { MIGRATIONS } from './migrations.ts';

export interface Store {
  readonly db: Database;
  readonly events: EventLog;
}

/** Makes the folders that are missing. Each opened thing is added to `parts`. Throws `service_unavailable` when another Reactor Core has it. */
export async function openStore(paths: Config['paths'], parts: Part[]): Promise<Store> {
  for (const folder of [paths.reactor, paths.runs, paths.registry, paths.data])
    await mkdir(folder, { recursive: true, mode: 0o700 });
  const lock = takeHomeLock(join(paths.reactor, 'lock.db'), 'Reactor Core');
  parts.push({ name: 'home lock', stop: async () => lock.release() });
  const db = await openSqlite({ path: join(paths.reactor, 'reactor-core.db'), migrations: MIGRATIONS });
  parts.push({ name: 'store', stop: () => db.close() });
  return { db, events: createEventLog(db) };
}
