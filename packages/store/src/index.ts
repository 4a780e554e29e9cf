// Storage: drivers, migrations, event log, home lock. SQL itself lives in the store folder of each service.
export * from './database.ts';
export * from './event-log.ts';
export * from './home-lock.ts';
export type { MigrationReport } from './migrations.ts';
export * from './open-database.ts';
export type { TransactionSeen } from './observed.ts';
export { Serial } from './serial.ts';
export * from './sqlite.ts';
export * from './store-program.ts';
