// Where Reactor Core keeps its data: a schema of Postgres, or a file of its own.
import { join } from 'node:path';
import type { Config } from '@jarvis/runtime';
import type { StorePlace } from '@jarvis/store';
import { MIGRATIONS } from './migrations.ts';

export function storePlace({ database, paths }: Config): StorePlace {
  return {
    databaseUrl: database.url,
    schema: database.schemas['reactor-core'],
    file: join(paths.reactor, 'reactor-core.db'),
    service: 'Reactor Core',
    migrations: MIGRATIONS,
  };
}
