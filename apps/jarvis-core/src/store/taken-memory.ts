// What trainings took, and what is learned from it for the next of their kind.
import type { ModelType } from '@jarvis/contracts';
import type { TakenMemory } from '@jarvis/coordinator';
import { type LearnedNeed, needOf, type NeedObservation, type NeedOutcome } from '@jarvis/policy';
import { type Database, type Reader, sql, type Transaction } from '@jarvis/store';
import { findJobRow } from './jobs.ts';
import { type JobRow, numberOrNull } from './rows.ts';

/** Older ones of a kind are forgotten: its models and data have changed since. */
const KEPT_OF_A_KIND = 50;

export interface Taken extends NeedObservation {
  readonly jobId: string;
}

interface TakenRow {
  readonly job_id: string;
  readonly model_type: ModelType;
  readonly row_count: number | string;
  readonly peak_bytes: number | string;
  readonly limit_bytes: number | string;
  readonly outcome: NeedOutcome;
}

/** @returns the kind of which it was noted; null when it was known already, or the job is not */
export async function noteTaken(
  tx: Transaction,
  taken: TakenMemory,
  nowMs: number,
): Promise<ModelType | null> {
  const job = await findJobRow(tx, taken.jobId);
  if (job === undefined) return null;
  const limit = Number(job.need_ram);
  const inserted = await tx.run(sql`
    INSERT INTO taken_memory (job_id, attempt, model_type, row_count, peak_bytes, limit_bytes, outcome, at)
    VALUES (${taken.jobId}, ${taken.attempt}, ${job.model_type}, ${Number(job.dataset_rows ?? 0)}, ${taken.peakBytes ?? limit}, ${limit}, ${taken.outcome}, ${nowMs})
    ON CONFLICT (job_id, attempt) DO NOTHING`);
  if (inserted === 0) return null;
  await tx.run(sql`
    DELETE FROM taken_memory WHERE model_type = ${job.model_type} AND at < (
      SELECT min(at) FROM (SELECT at FROM taken_memory WHERE model_type = ${job.model_type} ORDER BY at DESC LIMIT ${KEPT_OF_A_KIND}) AS kept)`);
  return job.model_type;
}

/** What was taken, by kind, oldest first; read once, and again when something was noted. */
export class TakenTable {
  readonly #db: Database;
  #read: Promise<ReadonlyMap<ModelType, readonly Taken[]>> | null = null;

  constructor(db: Database) {
    this.#db = db;
  }

  forget(): void {
    this.#read = null;
  }

  async all(): Promise<ReadonlyMap<ModelType, readonly Taken[]>> {
    this.#read ??= readTaken(this.#db).catch((error: unknown) => {
      this.#read = null;
      throw error;
    });
    return this.#read;
  }
}

async function readTaken(db: Reader): Promise<ReadonlyMap<ModelType, readonly Taken[]>> {
  const rows = await db.all<TakenRow>(sql`SELECT * FROM taken_memory ORDER BY at, job_id, attempt`);
  const byKind = new Map<ModelType, Taken[]>();
  for (const row of rows) byKind.set(row.model_type, [...(byKind.get(row.model_type) ?? []), takenOf(row)]);
  return byKind;
}

function takenOf(row: TakenRow): Taken {
  return {
    jobId: row.job_id,
    rows: Number(row.row_count),
    peakBytes: Number(row.peak_bytes),
    limitBytes: Number(row.limit_bytes),
    outcome: row.outcome,
  };
}

export function needOfJob(
  row: Pick<JobRow, 'job_id' | 'model_type' | 'need_ram' | 'need_given' | 'dataset_rows'>,
  taken: ReadonlyMap<ModelType, readonly Taken[]>,
): LearnedNeed {
  const job = {
    jobId: row.job_id,
    bytes: Number(row.need_ram),
    given: row.need_given !== 0,
    rows: numberOrNull(row.dataset_rows),
  };
  return needOf(job, taken.get(row.model_type) ?? []);
}
