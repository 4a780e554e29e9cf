// What the invariants are checked on, read from the tables.
import { isTerminal, JOB_LIFECYCLE, type JobState } from '@jarvis/contracts';
import type { CoreFacts } from '@jarvis/policy';
import { join, sql, type Transaction } from '@jarvis/store';
import { slotOf } from './locks.ts';
import type { JobRow, LockRow } from './rows.ts';

/** The newest jobs whose events are looked through. */
const JOBS_CHECKED_MAX = 10_000;
const WITH_SLOT: readonly JobState[] = ['waiting_for_memory', 'starting', 'training', 'preempting'];
/** As a state event has it in its text: quotes inside of values are escaped there, so that nothing else looks so. */
const TERMINAL_TEXTS = (Object.keys(JOB_LIFECYCLE) as JobState[])
  .filter((state) => isTerminal(JOB_LIFECYCLE, state))
  .map((state) => `%"state":"${state}"%`);

type Big = number | string | null;

export async function readStoredFacts(
  tx: Transaction,
): Promise<Omit<CoreFacts, 'slotsAllowed' | 'grantableBytes'>> {
  return {
    heldSlots: await readHeldSlots(tx),
    jobsWithSlot: await readJobsWithSlot(tx),
    reservedBytes: await readReserved(tx),
    counts: await readCounts(tx),
    ...(await readTotals(tx)),
    jobEvents: await readJobEvents(tx),
  };
}

async function readHeldSlots(tx: Transaction): Promise<CoreFacts['heldSlots']> {
  const rows = await tx.all<LockRow>(sql`SELECT * FROM locks WHERE state = 'held' ORDER BY name`);
  return rows.flatMap((row) => {
    const slot = slotOf(row.name);
    return slot === null ? [] : [{ slot, holder: row.holder ?? '', token: Number(row.token) }];
  });
}

async function readJobsWithSlot(tx: Transaction): Promise<CoreFacts['jobsWithSlot']> {
  const rows = await tx.all<Pick<JobRow, 'job_id' | 'slot' | 'token'>>(
    sql`SELECT job_id, slot, token FROM jobs WHERE state IN (${join([...WITH_SLOT])})`,
  );
  return rows.map((r) => ({ jobId: r.job_id, slot: Number(r.slot ?? -1), token: Number(r.token) }));
}

async function readReserved(tx: Transaction): Promise<number> {
  const row = await tx.get<{ bytes: Big }>(
    sql`SELECT COALESCE(SUM(need_ram), 0) AS bytes FROM leases WHERE state IN ('granted', 'expired_unconfirmed')`,
  );
  return Number(row?.bytes);
}

async function readCounts(tx: Transaction): Promise<CoreFacts['counts']> {
  const rows = await tx.all<
    Record<'counted' | 'stored' | 'trainable' | 'stored_trainable', Big> & { what: string }
  >(
    sql`SELECT model_type || ' from ' || source AS what, MAX(counted) AS counted, MAX(trainable) AS trainable,
          MAX(stored) AS stored, MAX(stored_trainable) AS stored_trainable
        FROM (
          SELECT model_type, source, total AS counted, trainable, 0 AS stored, 0 AS stored_trainable FROM experience_counts
          UNION ALL
          SELECT model_type, source, 0, 0, COUNT(*), SUM(trainable) FROM experiences GROUP BY model_type, source
        ) AS both_sides GROUP BY model_type, source ORDER BY what`,
  );
  return rows.map((r) => ({
    what: r.what,
    counted: Number(r.counted),
    countedTrainable: Number(r.trainable),
    stored: Number(r.stored),
    storedTrainable: Number(r.stored_trainable),
  }));
}

async function readTotals(tx: Transaction): Promise<Pick<CoreFacts, 'acknowledged' | 'stored' | 'numbered'>> {
  const row = await tx.get<Record<'acknowledged' | 'stored' | 'numbered', Big>>(sql`
    SELECT (SELECT COALESCE(SUM(stored), 0) FROM experience_batches) AS acknowledged,
      (SELECT COUNT(*) FROM experiences) AS stored,
      (SELECT COALESCE(MAX(value), 0) FROM counters WHERE name = 'experience') AS numbered`);
  return {
    acknowledged: Number(row?.acknowledged),
    stored: Number(row?.stored),
    numbered: Number(row?.numbered),
  };
}

async function readJobEvents(tx: Transaction): Promise<CoreFacts['jobEvents']> {
  const terminal = sql`(e.type = 'state' AND (${join(
    TERMINAL_TEXTS.map((text) => sql`e.data LIKE ${text}`),
    ' OR ',
  )}))`;
  const rows = await tx.all<
    Record<'events' | 'last_seq' | 'ends' | 'end_seq', Big> & { job_id: string; state: JobState }
  >(sql`
    SELECT j.job_id, j.state, COUNT(e.seq) AS events, MAX(e.seq) AS last_seq,
      SUM(CASE WHEN ${terminal} THEN 1 ELSE 0 END) AS ends, MAX(CASE WHEN ${terminal} THEN e.seq ELSE 0 END) AS end_seq
    FROM (SELECT job_id, state FROM jobs ORDER BY submitted_at DESC LIMIT ${JOBS_CHECKED_MAX}) AS j
    LEFT JOIN events e ON e.stream = 'job/' || j.job_id GROUP BY j.job_id, j.state`);
  return rows.map((r) => ({
    jobId: r.job_id,
    state: r.state,
    events: Number(r.events),
    lastSeq: Number(r.last_seq),
    ends: Number(r.ends),
    endSeq: Number(r.end_seq),
  }));
}
