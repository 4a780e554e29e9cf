// Takes a foreign model in: nobody here trained it, so nothing of it is believed.
//
//   a folder or a tar -> a copy of our own -> sizes, digests -> what the ONNX asks for -> one answer -> blobs -> a version
import { execFile } from 'node:child_process';
import { copyFile, mkdir, readFile, realpath, rm, stat } from 'node:fs/promises';
import { isAbsolute, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import {
  ARTIFACT_BYTES_MAX,
  ARTIFACT_FILES_MAX,
  CodedError,
  type Imported,
  MODEL_MANIFEST_FILE,
  type ModelType,
} from '@jarvis/contracts';
import { ArtifactError, inspectOnnx, openArtifact } from '@jarvis/model-kinds';
import { type Clock, isoNow, type Random, unpackFlatTar } from '@jarvis/runtime';
import type { Database } from '@jarvis/store';
import { findVersionOfDigest } from '../store/versions.ts';
import type { Blobs } from './blobs.ts';
import { type Artifact, type IntakeResult, readArtifact, storeArtifact } from './intake.ts';
import { mintVersion } from './minting.ts';

const TRY_PROGRAM = fileURLToPath(new URL('try-model.ts', import.meta.url));
const TRY_LIMIT_MS = 60_000;
/** At once: each has a copy on the disk and tries a model in memory. */
const IMPORTS_MAX = 2;
const BUSY_RETRY_SECONDS = 5;
const PROBLEM_CHARS_MAX = 500;
const FULL: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT']);

export interface ImportingOptions {
  readonly db: Database;
  readonly clock: Clock;
  readonly random: Random;
  readonly blobs: Blobs;
  /** Where copies lie while they are looked at; what a crash leaves there is removed at the next start. */
  readonly workFolder: string;
  /** The folder below which folders of clients have to lie. */
  readonly dataFolder: string;
}

export const ARTIFACT_TAR_LIMITS = { filesMax: ARTIFACT_FILES_MAX, bytesMax: ARTIFACT_BYTES_MAX };

/** Brings the files into a folder of ours. */
type Fetch = (into: string) => Promise<void>;

export class Importing {
  readonly #options: ImportingOptions;
  #running = 0;

  constructor(options: ImportingOptions) {
    this.#options = options;
  }

  /** Clears away what a crash left half done. */
  async open(): Promise<void> {
    await rm(this.#options.workFolder, { recursive: true, force: true });
  }

  /** @throws {CodedError} `path_not_allowed`, `artifact_refused`, `overloaded`, `storage_full` */
  fromFolder(kind: ModelType, folder: string): Promise<Imported> {
    return this.#import(kind, async (into) => {
      const from = await this.#allowed(folder);
      const { manifest } = must(await readArtifact(from));
      for (const name of [MODEL_MANIFEST_FILE, ...Object.keys(manifest.files)])
        await copyFile(join(from, name), join(into, name));
    });
  }

  /** @throws {CodedError} `artifact_refused`, `body_too_large`, `overloaded`, `storage_full` */
  fromTar(kind: ModelType, tar: AsyncIterable<Uint8Array>): Promise<Imported> {
    return this.#import(kind, async (into) => {
      const names = await unpackFlatTar(tar, into, ARTIFACT_TAR_LIMITS);
      const { manifest } = must(await readArtifact(into));
      const unnamed = names.find(
        (name) => name !== MODEL_MANIFEST_FILE && !Object.hasOwn(manifest.files, name),
      );
      if (unnamed !== undefined) throw refused(`${MODEL_MANIFEST_FILE} does not name ${unnamed}`);
    });
  }

  async #import(kind: ModelType, fetch: Fetch): Promise<Imported> {
    const { random, workFolder } = this.#options;
    if (this.#running >= IMPORTS_MAX)
      throw new CodedError('overloaded', `${IMPORTS_MAX} imports are under way: wait for one of them`, {
        retry_after_seconds: BUSY_RETRY_SECONDS,
      });
    const work = join(workFolder, random.id('import'));
    this.#running += 1;
    try {
      await mkdir(work, { recursive: true, mode: 0o700 });
      await fetch(work);
      return await this.#take(kind, work);
    } catch (error) {
      throw spoken(error, work);
    } finally {
      this.#running -= 1;
      await rm(work, { recursive: true, force: true });
    }
  }

  async #take(kind: ModelType, work: string): Promise<Imported> {
    const { db, blobs } = this.#options;
    const artifact = must(await readArtifact(work));
    if (artifact.manifest.kind !== kind)
      throw refused(`it is a model of kind ${artifact.manifest.kind}, not ${kind}`);
    await check(work, artifact);
    const known = await findVersionOfDigest(db, kind, artifact.digest);
    if (known === undefined) await tryOut(work);
    return blobs.using(async () => {
      must(await storeArtifact(work, artifact, { db, blobs }));
      return this.#name(kind, artifact);
    });
  }

  /** The same content is the same version, however often it comes. */
  #name(kind: ModelType, artifact: Artifact): Promise<Imported> {
    const { db, clock } = this.#options;
    const { digest } = artifact;
    return db.transaction('reactor.version.import', async (tx) => {
      const known = await findVersionOfDigest(tx, kind, digest);
      const minting = { modelType: kind, jobId: null, parentVersion: null, artifact, at: isoNow(clock) };
      const version = known?.version ?? (await mintVersion(tx, minting));
      const message =
        known === undefined
          ? `it is ${kind} ${version} now, which nobody is served until it is deployed`
          : `it was there already, as ${kind} ${version}`;
      return { model_type: kind, version, digest, created: known === undefined, message };
    });
  }

  /** The real path, which has to lie below the allowed folder also when links are followed. */
  async #allowed(path: string): Promise<string> {
    const { dataFolder } = this.#options;
    const refusal = new CodedError(
      'path_not_allowed',
      `${path} is no folder below ${dataFolder} (TRAINING_DATA_DIR): move it there, or send it as a tar`,
    );
    try {
      const root = await realpath(dataFolder);
      const real = await realpath(isAbsolute(path) ? path : join(root, path));
      if (real.startsWith(root + sep) && (await stat(real)).isDirectory()) return real;
    } catch {
      throw refusal;
    }
    throw refusal;
  }
}

/** Every digest, and what each ONNX file asks for. */
async function check(work: string, { manifest, digest }: Artifact): Promise<void> {
  if (Object.keys(manifest.files).length >= ARTIFACT_FILES_MAX)
    throw refused(`${MODEL_MANIFEST_FILE} names more than ${ARTIFACT_FILES_MAX - 1} files`);
  await openArtifact(work, digest);
  const graphs = Object.keys(manifest.files).filter((name) => name.endsWith('.onnx'));
  if (graphs.length === 0) throw refused(`${MODEL_MANIFEST_FILE} names no .onnx file`);
  for (const name of graphs) inspectOnnx(name, await readFile(join(work, name)));
}

async function tryOut(work: string): Promise<void> {
  try {
    await promisify(execFile)(process.execPath, [TRY_PROGRAM, work], {
      timeout: TRY_LIMIT_MS,
      killSignal: 'SIGKILL',
    });
  } catch (error) {
    throw refused(`it cannot be served: ${tryingProblem(error)}`);
  }
}

/** In a line for a person: the error that the program died of, if it said one. */
function tryingProblem(error: unknown): string {
  const { message, stderr, killed } = error as { message: string; stderr?: string; killed?: boolean };
  if (killed === true) return `it gave no answer to a sample input within ${TRY_LIMIT_MS / 1000} s`;
  const said = (stderr ?? '').split('\n').find((line) => /^\w*Error\b/.test(line));
  return said ?? message.split('\n')[0] ?? 'no answer';
}

function must(result: IntakeResult): Artifact {
  if (!result.ok) throw refused(result.problem);
  return result.artifact;
}

function refused(problem: string): CodedError {
  return new CodedError('artifact_refused', problem);
}

/** What is wrong with the model in words that tell nothing of where our copy lies; a full disk is one. */
function spoken(error: unknown, work: string): unknown {
  if (FULL.has((error as NodeJS.ErrnoException).code ?? ''))
    return new CodedError('storage_full', 'no space is left for the model', {}, { cause: error });
  const isProblem =
    error instanceof ArtifactError || (error instanceof CodedError && error.code === 'artifact_refused');
  if (!isProblem) return error;
  const message = error.message.replaceAll(work + sep, '').replaceAll(work, 'it');
  return new CodedError('artifact_refused', message.slice(0, PROBLEM_CHARS_MAX), {}, { cause: error });
}
