// Jobs as rows: one or all of them read, what a start needs, and the data that a job was given.
import type { Job, JobState } from '@jarvis/contracts';
import { type Database, join, sql, type Transaction } from '@jarvis/store';
import { type JobRow, jobOf } from './rows.ts';

export function jobStream(jobId: string): string {
  return `job/${jobId}`;
}

export async function findJobRow(from: Pick<Database, 'get'>, jobId: string): Promise<JobRow | undefined> {
  return from.get<JobRow>(sql`SELECT * FROM jobs WHERE job_id = ${jobId}`);
}

export async function findJob(db: Database, jobId: string): Promise<Job | undefined> {
  const row = await findJobRow(db, jobId);
  return row === undefined ? undefined : jobOf(row);
}

export interface StartDetails {
  readonly job: Job;
  readonly config: Record<string, unknown>;
  readonly autoDeploy: boolean;
  readonly source: string;
  readonly dataset: { readonly sha256: string; readonly rows: number } | null;
}

export async function findStartDetails(db: Database, jobId: string): Promise<StartDetails | undefined> {
  const row = await findJobRow(db, jobId);
  if (row === undefined) return undefined;
  const dataset =
    row.dataset_sha256 === null ? null : { sha256: row.dataset_sha256, rows: Number(row.dataset_rows) };
  return {
    job: jobOf(row),
    config: JSON.parse(row.config) as Record<string, unknown>,
    autoDeploy: row.auto_deploy !== 0,
    source: row.source,
    dataset,
  };
}

export async function setDataset(
  tx: Transaction,
  jobId: string,
  dataset: { sha256: string; rows: number; through: number },
): Promise<void> {
  await tx.run(sql`UPDATE jobs SET dataset_sha256 = ${dataset.sha256}, dataset_rows = ${dataset.rows}, data_through = ${dataset.through}
    WHERE job_id = ${jobId} AND dataset_sha256 IS NULL`);
}

export const JOB_LIST_MAX = 500;

export async function listJobs(db: Database, filter: { state?: JobState; limit: number }): Promise<Job[]> {
  const where = filter.state === undefined ? sql`` : sql`WHERE state = ${filter.state}`;
  return (
    await db.all<JobRow>(sql`SELECT * FROM jobs ${where} ORDER BY submitted_at DESC LIMIT ${filter.limit}`)
  ).map(jobOf);
}

export async function countJobs(db: Database, states: readonly JobState[]): Promise<number> {
  const row = await db.get<{ n: number | string }>(
    sql`SELECT COUNT(*) AS n FROM jobs WHERE state IN (${join([...states])})`,
  );
  return Number(row?.n ?? 0);
}
