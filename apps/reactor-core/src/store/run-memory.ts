// What a run may take, what it took at most, and the group that holds it to it.
import type { RunLimit } from '@jarvis/contracts';
import { type Reader, sql, type Transaction } from '@jarvis/store';
import type { RunKey, RunRow } from './runs.ts';

export async function setLimit(
  tx: Transaction,
  key: RunKey,
  limit: RunLimit & { readonly group: string | null },
): Promise<void> {
  await tx.run(sql`
    UPDATE runs SET limit_way = ${limit.way}, limit_bytes = ${limit.ram_bytes}, memory_group = ${limit.group}
    WHERE job_id = ${key.job_id} AND attempt = ${key.attempt}`);
}

/** The peak only grows. */
export async function raisePeak(tx: Transaction, key: RunKey, bytes: number): Promise<void> {
  await tx.run(sql`
    UPDATE runs SET peak_ram_bytes = ${bytes} WHERE job_id = ${key.job_id} AND attempt = ${key.attempt}
      AND (peak_ram_bytes IS NULL OR peak_ram_bytes < ${bytes})`);
}

/** Ended runs whose group may still be there. */
export function listLeftGroups(db: Reader): Promise<(RunKey & { memory_group: string })[]> {
  return db.all(sql`
    SELECT job_id, attempt, memory_group FROM runs
    WHERE memory_group IS NOT NULL AND state NOT IN ('accepted', 'running')`);
}

export async function setGroupRemoved(tx: Transaction, key: RunKey): Promise<void> {
  await tx.run(
    sql`UPDATE runs SET memory_group = NULL WHERE job_id = ${key.job_id} AND attempt = ${key.attempt}`,
  );
}

export function limitOf(run: RunRow): RunLimit | null {
  return run.limit_way === null || run.limit_bytes === null
    ? null
    : { way: run.limit_way, ram_bytes: run.limit_bytes };
}
