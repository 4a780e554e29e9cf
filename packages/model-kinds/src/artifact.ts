// Opening an artifact: `model.json` is read, and every file it names is checked against its size and SHA-256 before use.
// The bytes that were checked are the bytes that are used: nothing is read twice.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MODEL_MANIFEST_FILE, type ModelManifest, modelManifestSchema } from '@jarvis/contracts';
import { sha256Hex } from './digest.ts';

export type ArtifactErrorCode = 'artifact_corrupt' | 'artifact_unreadable' | 'artifact_unsupported';

/** An artifact that can't be served; the message says what is wrong with which file. */
export class ArtifactError extends Error {
  readonly code: ArtifactErrorCode;
  constructor(code: ArtifactErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ArtifactError';
    this.code = code;
  }
}

export interface OpenedArtifact {
  readonly manifest: ModelManifest;
  /** SHA-256 of the bytes of `model.json`: the artifact's address. */
  readonly sha256: string;
  readonly files: ReadonlyMap<string, Uint8Array>;
}

async function readBytes(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new ArtifactError('artifact_unreadable', `${path} can't be read: ${String(error)}`, {
      cause: error,
    });
  }
}

function parseManifest(path: string, bytes: Uint8Array): ModelManifest {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch (error) {
    throw new ArtifactError('artifact_unreadable', `${path} is not JSON: ${String(error)}`, { cause: error });
  }
  const parsed = modelManifestSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const where = issue?.path.join('.') ?? '';
  throw new ArtifactError(
    'artifact_unreadable',
    `${path} is not a model manifest: ${where}: ${issue?.message}`,
  );
}

async function readChecked(dir: string, name: string, want: { bytes: number; sha256: string }) {
  const path = join(dir, name);
  const bytes = await readBytes(path);
  if (bytes.byteLength !== want.bytes) {
    throw new ArtifactError(
      'artifact_corrupt',
      `${path} has ${bytes.byteLength} bytes, not the ${want.bytes} of its manifest`,
    );
  }
  const got = sha256Hex(bytes);
  if (got !== want.sha256) {
    throw new ArtifactError(
      'artifact_corrupt',
      `${path} has SHA-256 ${got}, not the ${want.sha256} of its manifest`,
    );
  }
  return bytes;
}

/**
 * Reads an artifact folder and verifies it.
 * @param sha256 the address the artifact was asked for under, if it is known
 * @throws {ArtifactError} `artifact_unreadable` (absent, or no manifest), `artifact_corrupt` (other bytes than promised)
 */
export async function openArtifact(dir: string, sha256?: string): Promise<OpenedArtifact> {
  const path = join(dir, MODEL_MANIFEST_FILE);
  const bytes = await readBytes(path);
  const address = sha256Hex(bytes);
  if (sha256 !== undefined && sha256 !== address) {
    throw new ArtifactError(
      'artifact_corrupt',
      `${path} has SHA-256 ${address}, but ${sha256} was asked for`,
    );
  }
  const manifest = parseManifest(path, bytes);
  const files = new Map<string, Uint8Array>();
  for (const [name, want] of Object.entries(manifest.files))
    files.set(name, await readChecked(dir, name, want));
  return { manifest, sha256: address, files };
}

/** A file the kind needs and the manifest names. */
export function requireFile(artifact: OpenedArtifact, name: string): Uint8Array {
  const bytes = artifact.files.get(name);
  if (bytes === undefined) {
    throw new ArtifactError(
      'artifact_unreadable',
      `${MODEL_MANIFEST_FILE} names no file ${name}, which this kind needs`,
    );
  }
  return bytes;
}
