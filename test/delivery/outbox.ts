// What a J-Prime has stored and the judge has not acknowledged, read from its store while it may be running.
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

const BUSY_LIMIT_MS = 5_000;

/** Requests of the candidate of a deployment. */
export function storedRequests(home: string, deploymentId: string): number {
  const [row] = rowsOf(
    join(home, 'j-prime', 'j-prime.db'),
    `SELECT sum(count) AS n FROM outbox
      WHERE kind = 'requests' AND arm = 'candidate' AND deployment_id = '${deploymentId}'`,
  );
  return Number(row?.['n'] ?? 0);
}

export function rowsOf(file: string, sql: string): Record<string, unknown>[] {
  const db = new DatabaseSync(file, { readOnly: true, timeout: BUSY_LIMIT_MS });
  try {
    return db.prepare(sql).all();
  } finally {
    db.close();
  }
}
