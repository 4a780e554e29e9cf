// Where a version comes from (job, data, parent, code) and what became of it (gate, deployments).
import { type Lineage, type ModelType, versionSchema } from '@jarvis/contracts';
import type { Database } from '@jarvis/store';
import { type DeploymentRow, gateOf, listDeploymentsOf } from '../store/deployments.ts';
import { findJob } from '../store/jobs.ts';
import { countAttempts } from '../store/runs.ts';
import { findEverVersion, manifestOf, type VersionRow } from '../store/versions.ts';
import { mustFindVersion } from './named-version.ts';

const DEPLOYMENTS_SHOWN_MAX = 100;

/** @throws {CodedError} `not_found` */
export async function lineageOf(
  db: Database,
  { kind, version }: { kind: ModelType; version: string },
): Promise<Lineage> {
  const row = await findRow(db, kind, version);
  const { lineage, metrics } = manifestOf(row);
  const named = { modelType: row.model_type, version: row.version };
  const deployments = await listDeploymentsOf(db, named, DEPLOYMENTS_SHOWN_MAX);
  return {
    model_type: row.model_type,
    version: row.version,
    digest: row.digest,
    origin: row.job_id === null ? 'import' : 'training',
    created_at: row.created_at,
    retired_at: row.retired_at,
    job: await jobOf(db, row.job_id),
    dataset: { sha256: lineage.dataset_sha256, rows: lineage.dataset_rows },
    parent: await parentOf(db, row, lineage.parent_version),
    trained_by: {
      job_id: lineage.job_id,
      code_sha256: lineage.code_sha256,
      config: lineage.config,
      seed: lineage.seed,
    },
    metrics,
    deployments: deployments.map(deploymentOf),
  };
}

/** A number names also a version whose files are gone. */
async function findRow(db: Database, kind: ModelType, name: string): Promise<VersionRow> {
  const row = versionSchema.safeParse(name).success ? await findEverVersion(db, kind, name) : undefined;
  if (row !== undefined) return row;
  return mustFindVersion(db, kind, name);
}

async function jobOf(db: Database, jobId: string | null): Promise<Lineage['job']> {
  if (jobId === null) return null;
  const job = await findJob(db, jobId);
  if (job === undefined) return null;
  const { epochs, created_at } = job;
  return { job_id: jobId, epochs, attempts: await countAttempts(db, jobId), created_at };
}

/** An imported model's parent is a version of the home where it was trained: only its name is known here. */
async function parentOf(db: Database, row: VersionRow, told: string | null): Promise<Lineage['parent']> {
  if (row.job_id === null || row.parent_version === null)
    return told === null ? null : { version: told, digest: null };
  const parent = await findEverVersion(db, row.model_type, row.parent_version);
  return { version: row.parent_version, digest: parent?.digest ?? null };
}

function deploymentOf(row: DeploymentRow): Lineage['deployments'][number] {
  const { deployment_id, strategy, state, reason, created_at, ended_at } = row;
  return { deployment_id, strategy, state, reason, gate: gateOf(row), created_at, ended_at };
}
