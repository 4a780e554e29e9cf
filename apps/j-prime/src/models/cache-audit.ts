// Whether the artifacts on this disk are what their names say.
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MODEL_MANIFEST_FILE, modelManifestSchema } from '@jarvis/contracts';
import type { FileFacts } from '@jarvis/policy';
import { FileAudit, type PromisedFile } from '@jarvis/runtime';
import type { ArtifactCache } from './artifact-cache.ts';

/** Two small models; what is not read this time is read another time. */
const READ_BYTES_MAX = 64 * 1024 * 1024;

interface CachedFile extends PromisedFile {
  readonly whose: string;
  readonly digest: string;
}

export class CacheAudit {
  readonly #cache: ArtifactCache;
  readonly #audit = new FileAudit(READ_BYTES_MAX);

  constructor(cache: ArtifactCache) {
    this.#cache = cache;
  }

  async look(): Promise<{ files: FileFacts[]; note: string }> {
    const digests = await this.#cache.digests();
    const manifests = await Promise.all(digests.map((digest) => this.#manifest(digest)));
    const promised = manifests.flatMap((manifest) => this.#filesOf(manifest));
    const { found, note } = await this.#audit.look(promised);
    // What was pruned meanwhile is not missing.
    const left = new Set(await this.#cache.digests());
    const files = promised.map((file) => ({
      whose: file.whose,
      wantedBytes: file.bytes,
      wantedSha256: file.sha256,
      foundBytes: found.get(file.path)?.bytes ?? null,
      foundSha256: found.get(file.path)?.sha256 ?? null,
    }));
    const facts = [...manifests.map((manifest) => manifestFacts(manifest)), ...files];
    return { files: facts.filter((_, i) => left.has([...manifests, ...promised][i]?.digest ?? '')), note };
  }

  async #manifest(digest: string): Promise<Manifest> {
    const path = join(this.#cache.pathOf(digest), MODEL_MANIFEST_FILE);
    return { digest, bytes: await readFile(path).catch(() => null) };
  }

  #filesOf({ digest, bytes }: Manifest): CachedFile[] {
    const parsed = modelManifestSchema.safeParse(parseJson(bytes));
    if (!parsed.success) return [];
    return Object.entries(parsed.data.files).map(([name, file]) => ({
      ...file,
      path: join(this.#cache.pathOf(digest), name),
      whose: `${name} of the artifact ${digest}`,
      digest,
      matters: false,
    }));
  }
}

interface Manifest {
  readonly digest: string;
  readonly bytes: Buffer | null;
}

/** Small, and read anyway: its digest is looked at every time, and is the name of the artifact. */
function manifestFacts({ digest, bytes }: Manifest): FileFacts {
  return {
    whose: `${MODEL_MANIFEST_FILE} of the artifact ${digest}`,
    wantedBytes: bytes?.byteLength ?? 0,
    wantedSha256: digest,
    foundBytes: bytes?.byteLength ?? null,
    foundSha256: bytes === null ? null : createHash('sha256').update(bytes).digest('hex'),
  };
}

function parseJson(bytes: Buffer | null): unknown {
  try {
    return JSON.parse(bytes?.toString('utf8') ?? '') as unknown;
  } catch {
    return undefined;
  }
}
