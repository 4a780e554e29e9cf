// The store of Reactor Core on both engines, for the tests of what it promises.
import { test } from 'node:test';
import type { Database, Transaction } from '@jarvis/store';
import { storeEngines } from '@jarvis/testkit';
import { MIGRATIONS } from '../src/store/migrations.ts';

export const AT = '2026-11-24T10:00:00.000Z';
export const LATER = '2026-11-24T11:00:00.000Z';

const engines = await storeEngines();

/** A test on each engine, in a database of its own. */
export function conform(what: string, body: (db: Database) => Promise<void>): void {
  for (const engine of engines)
    test(`${engine.name}: ${what}`, { skip: engine.skip }, async (t) =>
      body(await engine.open(t, MIGRATIONS)),
    );
}

export function write<T>(db: Database, work: (tx: Transaction) => Promise<T>): Promise<T> {
  return db.transaction('test.write', work);
}
