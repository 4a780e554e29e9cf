// Artifacts on this disk, by digest, so that serving goes on while Reactor Core is away.
//   fetch model.json, then each file -> verify size and SHA-256 -> fsync in a folder of its own -> rename to <digest>
import { createHash } from 'node:crypto';
import { mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { MODEL_MANIFEST_FILE, modelManifestSchema, SMALL_ARTIFACT_BYTES_MAX } from '@jarvis/contracts';
import { durably } from '@jarvis/failpoints';
import { ArtifactError } from '@jarvis/model-kinds';
import { type Clock, type Random, writeDurably } from '@jarvis/runtime';

/** Besides what is routed: the last few, for a rollback to find its files here. */
const UNROUTED_ARTIFACTS_KEPT = 4;
/** Folders under these names are not finished, or about to go. */
const UNFINISHED = '.';

export interface ArtifactCacheOptions {
  readonly folder: string;
  /** The bytes of `model.json` or of a file, by their SHA-256. */
  readonly fetch: (sha256: string) => Promise<Buffer>;
  readonly clock: Clock;
  readonly random: Random;
}

export class ArtifactCache {
  readonly #options: ArtifactCacheOptions;

  constructor(options: ArtifactCacheOptions) {
    this.#options = options;
  }

  /** Makes the folder and clears away what a crash left half done. */
  async open(): Promise<void> {
    const { folder } = this.#options;
    await mkdir(folder, { recursive: true });
    const leftovers = (await readdir(folder)).filter((name) => name.startsWith(UNFINISHED));
    await Promise.all(leftovers.map((name) => rm(join(folder, name), { recursive: true, force: true })));
  }

  pathOf(digest: string): string {
    return join(this.#options.folder, digest);
  }

  async has(digest: string): Promise<boolean> {
    return stat(this.pathOf(digest)).then(
      () => true,
      () => false,
    );
  }

  /**
   * Fetches an artifact into the cache. Nothing is put in place unless every byte is as promised.
   * @throws {ArtifactError} `artifact_corrupt`, `artifact_unreadable`; and what `fetch` throws
   */
  async fetch(digest: string): Promise<void> {
    const manifestBytes = await this.#verified(MODEL_MANIFEST_FILE, digest);
    const files = filesOf(manifestBytes);
    const incoming = join(this.#options.folder, this.#options.random.id(`${UNFINISHED}incoming`));
    try {
      await mkdir(incoming);
      await writeDurably(join(incoming, MODEL_MANIFEST_FILE), manifestBytes);
      for (const [name, file] of files)
        await writeDurably(join(incoming, name), await this.#verified(name, file.sha256, file.bytes));
      await durably('prime.artifact.rename', () => rename(incoming, this.pathOf(digest)));
    } finally {
      await rm(incoming, { recursive: true, force: true });
    }
  }

  /** What is here by name; what is unfinished or about to go is left out. */
  async digests(): Promise<string[]> {
    return (await readdir(this.#options.folder)).filter((name) => !name.startsWith(UNFINISHED));
  }

  /** Removes an entry: whoever looks finds all of it or none. */
  async discard(digest: string): Promise<void> {
    const outgoing = join(this.#options.folder, this.#options.random.id(`${UNFINISHED}outgoing`));
    await rename(this.pathOf(digest), outgoing).catch(ignoreAbsent);
    await rm(outgoing, { recursive: true, force: true });
  }

  /** Notes that an entry is in use, so that it is among the last to go. */
  async touch(digest: string): Promise<void> {
    const seconds = this.#options.clock.now() / 1000;
    await utimes(this.pathOf(digest), seconds, seconds);
  }

  /** Keeps `routed` and the few entries used last; removes the others. */
  async prune(routed: ReadonlySet<string>): Promise<void> {
    const { folder } = this.#options;
    const names = (await this.digests()).filter((name) => !routed.has(name));
    const aged = await Promise.all(
      names.map(async (name) => ({ name, usedMs: (await stat(join(folder, name))).mtimeMs })),
    );
    aged.sort((a, b) => b.usedMs - a.usedMs);
    for (const { name } of aged.slice(UNROUTED_ARTIFACTS_KEPT)) await this.discard(name);
  }

  async #verified(name: string, sha256: string, sizeBytes?: number): Promise<Buffer> {
    const bytes = await this.#options.fetch(sha256);
    if (sizeBytes !== undefined && bytes.byteLength !== sizeBytes)
      throw new ArtifactError(
        'artifact_corrupt',
        `${name} came with ${bytes.byteLength} bytes, not the ${sizeBytes} of its manifest`,
      );
    const got = createHash('sha256').update(bytes).digest('hex');
    if (got !== sha256)
      throw new ArtifactError('artifact_corrupt', `${name} came with SHA-256 ${got}, not ${sha256}`);
    return bytes;
  }
}

function filesOf(manifestBytes: Buffer): [string, { bytes: number; sha256: string }][] {
  const manifest = modelManifestSchema.safeParse(parseJson(manifestBytes));
  if (!manifest.success)
    throw new ArtifactError(
      'artifact_unreadable',
      `${MODEL_MANIFEST_FILE} is not a model manifest: ${manifest.error.message}`,
    );
  const files = Object.entries(manifest.data.files);
  const sumBytes = files.reduce((sum, [, file]) => sum + file.bytes, 0);
  if (sumBytes > SMALL_ARTIFACT_BYTES_MAX)
    throw new ArtifactError(
      'artifact_unsupported',
      `its files have ${sumBytes} bytes, over the ${SMALL_ARTIFACT_BYTES_MAX} that a small model may have`,
    );
  if (files.some(([name]) => name === MODEL_MANIFEST_FILE || name.startsWith('.')))
    throw new ArtifactError('artifact_unreadable', `${MODEL_MANIFEST_FILE} names a file that cannot be one`);
  return files;
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8')) as unknown;
  } catch {
    return undefined;
  }
}

function ignoreAbsent(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
}
