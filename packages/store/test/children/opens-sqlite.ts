// Opens a SQLite store by the root export, as a service does, and says whether the driver of Postgres was loaded.
import { createRequire } from 'node:module';
import { openDatabase } from '@jarvis/store';

const unused = (): never => {
  throw new Error('not for SQLite');
};
const db = await openDatabase({
  databaseUrl: null,
  schema: 's',
  file: process.argv[2] ?? '',
  service: 'test',
  migrations: [],
  clock: { monotonic: unused, sleep: unused },
  random: { unit: unused, id: unused },
  log: { info: unused, warn: unused },
  onLost: unused,
});
await db.close();
const loaded = Object.keys(createRequire(import.meta.url).cache);
process.stdout.write(String(loaded.some((path) => path.includes('/node_modules/pg/'))));
