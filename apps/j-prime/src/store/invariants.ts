// What the invariants are checked on, read from the tables in one transaction.
import type { PrimeFacts } from '@jarvis/policy';
import { sql, type Transaction } from '@jarvis/store';
import { whatIsWrongWith, type OutboxRow } from './outbox.ts';
import { readOpenRooms } from './room.ts';

/** The oldest rows that are looked through. */
const ROWS_CHECKED_MAX = 10_000;
const UNREADABLE_TOLD_MAX = 20;

export async function readOutboxFacts(tx: Transaction): Promise<PrimeFacts['outbox']> {
  const rows = await tx.all<OutboxRow>(
    sql`SELECT * FROM outbox WHERE refused IS NULL ORDER BY seq LIMIT ${ROWS_CHECKED_MAX}`,
  );
  const order = await tx.get<Record<'tried' | 'fresh', number | string | null>>(sql`
    SELECT MAX(CASE WHEN attempted = 1 THEN seq END) AS tried, MIN(CASE WHEN attempted = 0 THEN seq END) AS fresh
    FROM outbox WHERE refused IS NULL`);
  const gathered = await tx.all<{ deployment_id: string; arm: string; step: number }>(sql`
    SELECT deployment_id, arm, step FROM outbox WHERE kind IN ('requests', 'shadowed') AND attempted = 0
    GROUP BY deployment_id, arm, step, kind HAVING COUNT(*) > 1 LIMIT ${UNREADABLE_TOLD_MAX}`);
  return {
    unreadable: rows.flatMap((row) => whatIsWrongWith(row) ?? []).slice(0, UNREADABLE_TOLD_MAX),
    lastTriedSeq: numberOrNull(order?.tried),
    firstFreshSeq: numberOrNull(order?.fresh),
    gatheredTwice: gathered.map((g) => `${g.deployment_id}, ${g.arm}, step ${g.step}`),
  };
}

export async function readRoomFacts(tx: Transaction): Promise<Omit<PrimeFacts['room'], 'lent'>> {
  const { open, unreadable } = await readOpenRooms(tx);
  return { open, unreadable: unreadable.slice(0, UNREADABLE_TOLD_MAX) };
}

function numberOrNull(value: number | string | null | undefined): number | null {
  return value === null || value === undefined ? null : Number(value);
}
