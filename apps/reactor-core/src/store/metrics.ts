// How much there is of what, for /metrics: one row for each kind and state.
import { type Reader, sql } from '@jarvis/store';

type Big = number | string;

export async function countRuns(db: Reader): Promise<{ kind: string; state: string; runs: number }[]> {
  const rows = await db.all<{ kind: string; state: string; runs: Big }>(sql`
    SELECT jobs.model_type AS kind, runs.state, COUNT(*) AS runs FROM runs JOIN jobs ON jobs.job_id = runs.job_id
    GROUP BY jobs.model_type, runs.state`);
  return rows.map((row) => ({ ...row, runs: Number(row.runs) }));
}

/** Lines of trainers that were no events of their run. */
export async function readBadLines(db: Reader): Promise<{ kind: string; lines: number }[]> {
  const rows = await db.all<{ kind: string; lines: Big }>(sql`
    SELECT jobs.model_type AS kind, SUM(runs.bad_lines) AS lines FROM runs JOIN jobs ON jobs.job_id = runs.job_id
    GROUP BY jobs.model_type`);
  return rows.map((row) => ({ ...row, lines: Number(row.lines) }));
}

export async function countDeployments(
  db: Reader,
): Promise<{ kind: string; state: string; deployments: number }[]> {
  const rows = await db.all<{ kind: string; state: string; deployments: Big }>(
    sql`SELECT model_type AS kind, state, COUNT(*) AS deployments FROM deployments GROUP BY model_type, state`,
  );
  return rows.map((row) => ({ ...row, deployments: Number(row.deployments) }));
}
