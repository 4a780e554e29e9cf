// Requests for locks that have ended: cancelled, or granted and over. A copy of one that arrives late has to be known.
import { sql, type Transaction } from '@jarvis/store';

/** For each lock; the oldest is forgotten. Counted, not timed: clocks jump. */
export const ENDED_REQUESTS_MAX = 4_096;

type Outcome = 'cancelled' | 'released' | 'expired';

export async function endOfRequest(
  tx: Transaction,
  name: string,
  requestId: string,
): Promise<Outcome | undefined> {
  const row = await tx.get<{ outcome: Outcome }>(
    sql`SELECT outcome FROM lock_requests_ended WHERE name = ${name} AND request_id = ${requestId}`,
  );
  return row?.outcome;
}

/** The first end counts. */
export async function endRequest(
  tx: Transaction,
  name: string,
  requestId: string,
  outcome: Outcome,
): Promise<void> {
  const last = await tx.get<{ seq: number | string }>(
    sql`SELECT COALESCE(MAX(seq), 0) AS seq FROM lock_requests_ended WHERE name = ${name}`,
  );
  const seq = Number(last?.seq) + 1;
  await tx.run(sql`
    INSERT INTO lock_requests_ended (name, request_id, seq, outcome) VALUES (${name}, ${requestId}, ${seq}, ${outcome})
    ON CONFLICT (name, request_id) DO NOTHING`);
  await tx.run(
    sql`DELETE FROM lock_requests_ended WHERE name = ${name} AND seq <= ${seq - ENDED_REQUESTS_MAX}`,
  );
}
