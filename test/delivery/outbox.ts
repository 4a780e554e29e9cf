// What a J-Prime has stored and the judge has not acknowledged, read from its store while it may be running.
import { join } from 'node:path';
import { storedRows } from '../stored-rows.ts';

/** Requests of the candidate of a deployment. */
export function storedRequests(home: string, deploymentId: string): number {
  const [row] = storedRows(
    join(home, 'j-prime', 'j-prime.db'),
    `SELECT sum(count) AS n FROM outbox
      WHERE kind = 'requests' AND arm = 'candidate' AND deployment_id = '${deploymentId}'`,
  );
  return Number(row?.['n'] ?? 0);
}
