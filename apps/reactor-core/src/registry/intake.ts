// Takes a trainer's artifact into the registry: the manifest is read, every file checked and stored under its SHA-256.
import { createHash } from 'node:crypto';
import { lstat, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  MODEL_MANIFEST_FILE,
  type ModelManifest,
  modelManifestSchema,
  SMALL_ARTIFACT_BYTES_MAX,
} from '@jarvis/contracts';
import { BlobMismatch, type Blobs } from './blobs.ts';

/** Labels and the encoding's settings; what is large belongs into a file of its own. */
const MANIFEST_BYTES_MAX = 4 * 1024 * 1024;

export interface Artifact {
  /** SHA-256 of model.json: the version's address. */
  readonly digest: string;
  readonly manifest: ModelManifest;
  readonly manifestText: string;
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
  blobs: Blobs,
): Promise<IntakeResult> {
  const path = join(folder, MODEL_MANIFEST_FILE);
  const read = await readManifest(path, origin);
  if (!read.ok) return read;
  const { manifest } = read.artifact;
  const problem = await checkFiles(folder, manifest);
  if (problem !== null) return { ok: false, problem };
  try {
    for (const [name, want] of Object.entries(manifest.files)) await blobs.take(join(folder, name), want);
    const bytes = Buffer.byteLength(read.artifact.manifestText);
    await blobs.take(path, { bytes, sha256: read.artifact.digest });
  } catch (error) {
    if (error instanceof BlobMismatch) return { ok: false, problem: error.message };
    throw error;
  }
  return read;
}

async function readManifest(path: string, origin: ArtifactOrigin): Promise<IntakeResult> {
  const size = await fileBytes(path);
  if (size === null) return { ok: false, problem: `the trainer left no ${path}` };
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
  const { kind, lineage } = parsed.data;
  if (
    kind !== origin.modelType ||
    lineage.job_id !== origin.jobId ||
    lineage.dataset_sha256 !== origin.datasetSha256
  )
    return {
      ok: false,
      problem: `${path} speaks of a ${kind} of job ${lineage.job_id}, or of other data than this run's`,
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
