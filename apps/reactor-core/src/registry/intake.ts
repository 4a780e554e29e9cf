// Takes a trainer's artifact into the registry: the manifest is read, every file checked and stored under its SHA-256.
import { createHash } from 'node:crypto';
import { lstat, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  MANIFEST_BYTES_MAX,
  MODEL_MANIFEST_FILE,
  type ModelManifest,
  modelManifestSchema,
  SMALL_ARTIFACT_BYTES_MAX,
} from '@jarvis/contracts';
import type { Database } from '@jarvis/store';
import { noteLoose } from '../store/retention.ts';
import { BlobMismatch, type Blobs } from './blobs.ts';

export interface Artifact {
  /** SHA-256 of model.json: the version's address. */
  readonly digest: string;
  readonly manifest: ModelManifest;
  readonly manifestText: string;
}

/** Where it is stored. */
export interface Intake {
  readonly db: Database;
  readonly blobs: Blobs;
}

export type IntakeResult =
  | { readonly ok: true; readonly artifact: Artifact }
  | { readonly ok: false; readonly problem: string };

export interface ArtifactOrigin {
  readonly jobId: string;
  readonly modelType: string;
  readonly datasetSha256: string;
}

/** A problem is the trainer's fault; an error that is thrown (a full disk, say) is not, and may pass. */
export async function takeArtifact(
  folder: string,
  origin: ArtifactOrigin,
  { db, blobs }: Intake,
): Promise<IntakeResult> {
  const read = await readArtifact(folder);
  if (!read.ok) return read;
  const problem = originProblem(folder, read.artifact.manifest, origin);
  return problem === null ? storeArtifact(folder, read.artifact, { db, blobs }) : { ok: false, problem };
}

/** Reads what lies in a folder, without storing it: the manifest, and whether the files are there with their sizes. */
export async function readArtifact(folder: string): Promise<IntakeResult> {
  const read = await readManifest(join(folder, MODEL_MANIFEST_FILE));
  if (!read.ok) return read;
  const problem = await checkFiles(folder, read.artifact.manifest);
  return problem === null ? read : { ok: false, problem };
}

/** Only while blobs are `using` them. That they may be loose is noted first: after a crash they are found by that. */
export async function storeArtifact(
  folder: string,
  artifact: Artifact,
  { db, blobs }: Intake,
): Promise<IntakeResult> {
  const { manifest, digest, manifestText } = artifact;
  const files = Object.entries(manifest.files);
  const sha256s = [digest, ...files.map(([, { sha256 }]) => sha256)];
  await db.transaction('reactor.blob.note', (tx) => noteLoose(tx, sha256s));
  try {
    for (const [name, want] of files) await blobs.take(join(folder, name), want);
    const bytes = Buffer.byteLength(manifestText);
    await blobs.take(join(folder, MODEL_MANIFEST_FILE), { bytes, sha256: digest });
  } catch (error) {
    if (error instanceof BlobMismatch) return { ok: false, problem: error.message };
    throw error;
  }
  return { ok: true, artifact };
}

function originProblem(folder: string, manifest: ModelManifest, origin: ArtifactOrigin): string | null {
  const { kind, lineage } = manifest;
  if (
    kind === origin.modelType &&
    lineage.job_id === origin.jobId &&
    lineage.dataset_sha256 === origin.datasetSha256
  )
    return null;
  return `${join(folder, MODEL_MANIFEST_FILE)} speaks of a ${kind} of job ${lineage.job_id}, or of other data than this run's`;
}

async function readManifest(path: string): Promise<IntakeResult> {
  const size = await fileBytes(path);
  if (size === null) return { ok: false, problem: `no ${path} is there` };
  if (size > MANIFEST_BYTES_MAX)
    return { ok: false, problem: `${path} has ${size} bytes, at most ${MANIFEST_BYTES_MAX} are read` };
  const bytes = await readFile(path);
  const manifestText = bytes.toString('utf8');
  let value: unknown;
  try {
    value = JSON.parse(manifestText);
  } catch (error) {
    return { ok: false, problem: `${path} is not JSON: ${(error as Error).message}` };
  }
  const parsed = modelManifestSchema.safeParse(value);
  if (!parsed.success)
    return {
      ok: false,
      problem: `${path} is no model manifest: ${parsed.error.issues[0]?.path.join('.')}: ${parsed.error.issues[0]?.message}`,
    };
  const digest = createHash('sha256').update(bytes).digest('hex');
  return { ok: true, artifact: { digest, manifest: parsed.data, manifestText } };
}

async function checkFiles(folder: string, manifest: ModelManifest): Promise<string | null> {
  let total = 0;
  for (const [name, want] of Object.entries(manifest.files)) {
    if (name === MODEL_MANIFEST_FILE || /^\.+$/.test(name)) return `the manifest names a file ${name}`;
    const bytes = await fileBytes(join(folder, name));
    if (bytes !== want.bytes) return `${name} has ${bytes ?? 'no'} bytes, the manifest says ${want.bytes}`;
    total += bytes;
  }
  if (manifest.kind !== 'llm' && total > SMALL_ARTIFACT_BYTES_MAX)
    return `the files have ${total} bytes together, at most ${SMALL_ARTIFACT_BYTES_MAX} are allowed`;
  return null;
}

/** Null when there is no such regular file: a link could lead anywhere. */
async function fileBytes(path: string): Promise<number | null> {
  const found = await lstat(path).catch(() => null);
  return found?.isFile() === true ? found.size : null;
}
