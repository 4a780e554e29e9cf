// How much there is of what: counts for /metrics, each of one table by an index or of a table that stays small.
import { type Database, sql } from '@jarvis/store';

type Big = number | string;

export async function countExperiences(
  db: Database,
): Promise<{ kind: string; source: string; total: number }[]> {
  const rows = await db.all<{ kind: string; source: string; total: Big }>(
    sql`SELECT model_type AS kind, source, total FROM experience_counts`,
  );
  return rows.map((row) => ({ ...row, total: Number(row.total) }));
}

export async function countJobsByState(
  db: Database,
): Promise<{ kind: string; state: string; jobs: number }[]> {
  const rows = await db.all<{ kind: string; state: string; jobs: Big }>(
    sql`SELECT model_type AS kind, state, COUNT(*) AS jobs FROM jobs GROUP BY model_type, state`,
  );
  return rows.map((row) => ({ ...row, jobs: Number(row.jobs) }));
}

/** Of each kind that waits, since when its oldest job does. */
export async function oldestWaiting(db: Database): Promise<{ kind: string; sinceMs: number }[]> {
  const rows = await db.all<{ kind: string; since: Big }>(
    sql`SELECT model_type AS kind, MIN(submitted_at) AS since FROM jobs
      WHERE state IN ('queued', 'waiting_for_memory') GROUP BY model_type`,
  );
  return rows.map(({ kind, since }) => ({ kind, sinceMs: Number(since) }));
}

export async function countSlots(db: Database): Promise<{ state: string; slots: number }[]> {
  const rows = await db.all<{ state: string; slots: Big }>(
    sql`SELECT state, COUNT(*) AS slots FROM locks WHERE name LIKE 'training/%' GROUP BY state`,
  );
  return rows.map((row) => ({ ...row, slots: Number(row.slots) }));
}

export async function countLeases(db: Database): Promise<{ state: string; leases: number }[]> {
  const rows = await db.all<{ state: string; leases: Big }>(
    sql`SELECT state, COUNT(*) AS leases FROM leases GROUP BY state`,
  );
  return rows.map((row) => ({ ...row, leases: Number(row.leases) }));
}
