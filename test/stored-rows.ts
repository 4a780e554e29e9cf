// Rows of a service's store on SQLite, read from outside while it may be running.
import { DatabaseSync } from 'node:sqlite';

const BUSY_LIMIT_MS = 5_000;

export function storedRows(file: string, sql: string): Record<string, unknown>[] {
  const db = new DatabaseSync(file, { readOnly: true, timeout: BUSY_LIMIT_MS });
  try {
    return db.prepare(sql).all();
  } finally {
    db.close();
  }
}
