// Looks whether files are what they were promised to be. The size of each is looked at every time; their bytes are read up
// to a limit for each look, those that matter most first, and the next look goes on where this one stopped.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';

export interface PromisedFile {
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
  /** Read at every look, as far as the limit goes. */
  readonly matters: boolean;
}

export interface FoundFile {
  /** null: it is not there. */
  readonly bytes: number | null;
  /** null: it was not read this time. */
  readonly sha256: string | null;
}

export interface AuditFindings {
  readonly found: ReadonlyMap<string, FoundFile>;
  /** How far it went, for a person. */
  readonly note: string;
}

export class FileAudit {
  readonly #readBytesMax: number;
  #next = 0;

  constructor(readBytesMax: number) {
    this.#readBytesMax = readBytesMax;
  }

  async look(files: readonly PromisedFile[]): Promise<AuditFindings> {
    const byPath = new Map(files.map((file) => [file.path, file]));
    const found = new Map<string, FoundFile>();
    for (const path of byPath.keys()) found.set(path, { bytes: await sizeOf(path), sha256: null });
    let readFiles = 0;
    let readBytes = 0;
    for (const { path, matters } of this.#inOrder([...byPath.values()])) {
      const { bytes } = found.get(path) ?? { bytes: null };
      if (readBytes + (bytes ?? 0) > this.#readBytesMax) break;
      if (!matters) this.#next += 1;
      const sha256 = bytes === null ? null : await digestOf(path);
      found.set(path, { bytes, sha256 });
      readBytes += bytes ?? 0;
      readFiles += 1;
    }
    const limit = `at most ${this.#readBytesMax} bytes at a time`;
    return {
      found,
      note: `the sizes of ${byPath.size} files were looked at, the digests of ${readFiles} (${limit})`,
    };
  }

  #inOrder(files: readonly PromisedFile[]): PromisedFile[] {
    const others = files.filter((file) => !file.matters);
    const from = others.length === 0 ? 0 : this.#next % others.length;
    return [...files.filter((file) => file.matters), ...others.slice(from), ...others.slice(0, from)];
  }
}

async function sizeOf(path: string): Promise<number | null> {
  return stat(path).then(
    (found) => found.size,
    () => null,
  );
}

/** null when it went meanwhile. */
async function digestOf(path: string): Promise<string | null> {
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  return hash.digest('hex');
}
