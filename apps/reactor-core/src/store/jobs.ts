// Jobs as Reactor Core keeps them: what was asked for, and how it came out. A job lives on over its attempts (runs):
// its outcome stays null while an attempt lives or may follow, whatever the state of the last one.
import type { ModelType } from '@jarvis/contracts';
import { type Reader, sql, type Transaction } from '@jarvis/store';

/** Who takes slot and lease for a job, and resumes it: JARVIS Core, or Reactor Core itself for a start without a token. */
export type JobOwner = 'jarvis-core' | 'self';
export type JobOutcome = 'completed' | 'failed' | 'cancelled';

export interface JobRow {
  readonly job_id: string;
  readonly model_type: ModelType;
  readonly body_sha256: string;
  readonly owner: JobOwner;
  readonly epochs: number;
  /** JSON of a TrainerConfig. */
  readonly config: string;
  readonly checkpoint_enabled: number;
  readonly checkpoint_interval: number;
  readonly auto_deploy: number;
  readonly parent_version: string | null;
  readonly seed: number;
  readonly dataset_sha256: string;
  readonly dataset_rows: number;
  readonly estimated_seconds: number;
  readonly outcome: JobOutcome | null;
  readonly model_version: string | null;
  readonly error: string | null;
  readonly resume_at_ms: number | null;
  readonly created_at: string;
  readonly ended_at: string | null;
}

export type NewJob = Omit<JobRow, 'outcome' | 'model_version' | 'error' | 'resume_at_ms' | 'ended_at'>;

export function findJob(db: Reader, jobId: string): Promise<JobRow | undefined> {
  return db.get<JobRow>(sql`SELECT * FROM jobs WHERE job_id = ${jobId}`);
}

export async function insertJob(tx: Transaction, job: NewJob): Promise<void> {
  await tx.run(sql`
    INSERT INTO jobs (job_id, model_type, body_sha256, owner, epochs, config, checkpoint_enabled, checkpoint_interval,
      auto_deploy, parent_version, seed, dataset_sha256, dataset_rows, estimated_seconds, created_at)
    VALUES (${job.job_id}, ${job.model_type}, ${job.body_sha256}, ${job.owner}, ${job.epochs}, ${job.config},
      ${job.checkpoint_enabled}, ${job.checkpoint_interval}, ${job.auto_deploy}, ${job.parent_version}, ${job.seed},
      ${job.dataset_sha256}, ${job.dataset_rows}, ${job.estimated_seconds}, ${job.created_at})`);
}

export async function setJobOwner(tx: Transaction, jobId: string, owner: JobOwner): Promise<void> {
  await tx.run(
    sql`UPDATE jobs SET owner = ${owner}, resume_at_ms = NULL WHERE job_id = ${jobId} AND outcome IS NULL`,
  );
}

export interface JobEnd {
  readonly outcome: JobOutcome;
  readonly modelVersion: string | null;
  readonly error: string | null;
  readonly at: string;
}

/** False when the job had ended before: a job ends once (I4). */
export async function endJob(tx: Transaction, jobId: string, end: JobEnd): Promise<boolean> {
  const changes = await tx.run(sql`
    UPDATE jobs SET outcome = ${end.outcome}, model_version = ${end.modelVersion}, error = ${end.error},
      ended_at = ${end.at}, resume_at_ms = NULL
    WHERE job_id = ${jobId} AND outcome IS NULL`);
  return changes === 1;
}

export async function setResumeAt(tx: Transaction, jobId: string, resumeAtMs: number | null): Promise<void> {
  const wholeMs = resumeAtMs === null ? null : Math.round(resumeAtMs);
  await tx.run(sql`UPDATE jobs SET resume_at_ms = ${wholeMs} WHERE job_id = ${jobId} AND outcome IS NULL`);
}

/** Jobs of our own whose time to be resumed has come. */
export function listResumable(db: Reader, nowMs: number): Promise<JobRow[]> {
  return db.all<JobRow>(
    sql`SELECT * FROM jobs WHERE owner = 'self' AND outcome IS NULL AND resume_at_ms <= ${nowMs} ORDER BY resume_at_ms`,
  );
}
