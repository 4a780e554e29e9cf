// A version is named when a run completes, in the transaction that ends the run: failed runs leave no gap.
import type { ModelType } from '@jarvis/contracts';
import { describeChange, nextVersion } from '@jarvis/policy';
import type { Transaction } from '@jarvis/store';
import { findEverVersion, findLatestVersion, insertVersion, manifestOf } from '../store/versions.ts';
import type { Artifact } from './intake.ts';

export interface Minting {
  readonly modelType: ModelType;
  /** Null when it was imported. */
  readonly jobId: string | null;
  readonly parentVersion: string | null;
  readonly artifact: Artifact;
  readonly at: string;
}

/** The name follows the highest there is; how it grows follows from what differs from the parent. */
export async function mintVersion(tx: Transaction, minting: Minting): Promise<string> {
  const { modelType, parentVersion, artifact, jobId, at } = minting;
  const latest = await findLatestVersion(tx, modelType);
  const parent = parentVersion === null ? latest : await findEverVersion(tx, modelType, parentVersion);
  const change = parent === undefined ? 'data' : describeChange(manifestOf(parent), artifact.manifest);
  const version = nextVersion(latest?.version ?? null, change);
  await insertVersion(tx, {
    model_type: modelType,
    version,
    digest: artifact.digest,
    manifest: artifact.manifestText,
    job_id: jobId,
    parent_version: parentVersion,
    created_at: at,
  });
  return version;
}
