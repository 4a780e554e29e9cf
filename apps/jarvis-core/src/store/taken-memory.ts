// What trainings took, and what is learned from it for the next of their kind.
import type { ModelType } from '@jarvis/contracts';
import type { TakenMemory } from '@jarvis/coordinator';
import { type LearnedNeed, learnNeed, needOf, type NeedObservation, type NeedOutcome } from '@jarvis/policy';
import { type Database, type Reader, sql, type Transaction } from '@jarvis/store';
import { findJobRow } from './jobs.ts';
import { type JobRow, numberOrNull } from './rows.ts';

/** Older ones of a kind are forgotten: its models and data have changed since. */
const KEPT_OF_A_KIND = 50;

interface Taken extends NeedObservation {
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

/** What was taken; read once, and again when something was noted. */
export class TakenTable {
  readonly #db: Database;
  #read: Promise<Needs> | null = null;

  constructor(db: Database) {
    this.#db = db;
  }

  forget(): void {
    this.#read = null;
  }

  async needs(): Promise<Needs> {
    this.#read ??= readTaken(this.#db).then(
      (taken) => new Needs(taken),
      (error: unknown) => {
        this.#read = null;
        throw error;
      },
    );
    return this.#read;
  }
}

/** What jobs need by what was taken. Of a kind it is learned once for so many rows: most jobs of a long queue have none yet. */
export class Needs {
  readonly #taken: ReadonlyMap<ModelType, readonly Taken[]>;
  readonly #learned = new Map<string, LearnedNeed | null>();

  constructor(taken: ReadonlyMap<ModelType, readonly Taken[]>) {
    this.#taken = taken;
  }

  ofJob(
    row: Pick<JobRow, 'job_id' | 'model_type' | 'need_ram' | 'need_given' | 'dataset_rows'>,
  ): LearnedNeed {
    const rows = numberOrNull(row.dataset_rows);
    const job = { bytes: Number(row.need_ram), given: row.need_given !== 0, rows };
    const own = this.#of(row.model_type).filter((taken) => taken.jobId === row.job_id);
    return needOf(job, this.#ofKind(row.model_type, rows), own);
  }

  /** Of a job that does not say what it needs. */
  ofNext(modelType: ModelType, defaultBytes: number): LearnedNeed {
    return needOf({ bytes: defaultBytes, given: false, rows: null }, this.#ofKind(modelType, null), []);
  }

  #of(modelType: ModelType): readonly Taken[] {
    return this.#taken.get(modelType) ?? [];
  }

  #ofKind(modelType: ModelType, rows: number | null): LearnedNeed | null {
    const key = `${modelType} ${rows}`;
    const known = this.#learned.get(key);
    if (known !== undefined) return known;
    const learned = learnNeed(this.#of(modelType), rows);
    this.#learned.set(key, learned);
    return learned;
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
