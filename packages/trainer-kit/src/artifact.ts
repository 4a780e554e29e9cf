// Publishing what was learnt: `model.json` and its files, whole or not at all. Nothing in it depends on time or attempt.
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  ARTIFACT_FORMAT,
  MODEL_MANIFEST_FILE,
  type ModelManifest,
  SMALL_ARTIFACT_BYTES_MAX,
  type TrainerJob,
} from '@jarvis/contracts';
import { canonicalJson, sha256Hex } from '@jarvis/model-kinds';
import { publishFolder } from './durable.ts';
import { TrainerFailure } from './failure.ts';

/** What the trainer of a kind knows of its artifact; the kit adds the rest. */
export interface ArtifactDraft extends Pick<ModelManifest, 'labels' | 'encoding' | 'metrics'> {
  readonly files: Readonly<Record<string, Uint8Array>>;
  /** The configuration as it was applied, defaults included. */
  readonly config: Record<string, unknown>;
}

function manifestOf(draft: ArtifactDraft, job: TrainerJob, codeSha256: string): ModelManifest {
  const files = Object.entries(draft.files).map(
    ([name, bytes]) => [name, { bytes: bytes.byteLength, sha256: sha256Hex(bytes) }] as const,
  );
  return {
    format: ARTIFACT_FORMAT,
    kind: job.model_type,
    labels: draft.labels,
    encoding: draft.encoding,
    metrics: draft.metrics,
    files: Object.fromEntries(files),
    lineage: {
      job_id: job.job_id,
      dataset_sha256: job.dataset.sha256,
      dataset_rows: job.dataset.rows,
      parent_version: job.parent_version,
      code_sha256: codeSha256,
      config: draft.config,
      seed: job.seed,
    },
  };
}

async function holds(dir: string, manifest: Buffer): Promise<boolean> {
  try {
    return manifest.equals(await readFile(join(dir, MODEL_MANIFEST_FILE)));
  } catch {
    return false;
  }
}

/**
 * Writes the artifact to the job's folder. One that a crashed attempt left there stays if it is the same, else it goes.
 * @throws {TrainerFailure} `artifact_too_large`
 */
export async function publishArtifact(
  draft: ArtifactDraft,
  job: TrainerJob,
  codeSha256: string,
): Promise<void> {
  const bytes = Object.values(draft.files).reduce((sum, file) => sum + file.byteLength, 0);
  if (bytes > SMALL_ARTIFACT_BYTES_MAX) {
    throw new TrainerFailure(
      'artifact_too_large',
      `the model has ${bytes} bytes, at most ${SMALL_ARTIFACT_BYTES_MAX}`,
    );
  }
  const manifest = Buffer.from(canonicalJson(manifestOf(draft, job, codeSha256)));
  if (await holds(job.artifact_dir, manifest)) return;
  await rm(job.artifact_dir, { recursive: true, force: true });
  const contents = { files: draft.files, manifest: { name: MODEL_MANIFEST_FILE, bytes: manifest } };
  await publishFolder(job.artifact_dir, contents, 'trainer.artifact.rename');
}
