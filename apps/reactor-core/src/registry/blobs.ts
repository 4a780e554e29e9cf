// Bytes under their own SHA-256: whole or not there at all, flushed before they get their name, never changed after.
//   <registry>/blobs/<sha256>          <registry>/blobs/<sha256>.<n>.partial   left by a crash, removed with its blob
import { createHash } from 'node:crypto';
import { copyFile, type FileHandle, link, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { durably } from '@jarvis/failpoints';
import { type Random, syncFolder } from '@jarvis/runtime';

const HASH_CHUNK_BYTES = 1024 * 1024;

export interface BlobSize {
  readonly bytes: number;
  readonly sha256: string;
}

export class BlobMismatch extends Error {
  override readonly name = 'BlobMismatch';
}

export class Blobs {
  readonly #folder: string;
  readonly #random: Random;
  /** Who needs that none is removed: while a version's files are taken in, until it names them. */
  #users = 0;
  #removing: Promise<void> | null = null;

  constructor(registry: string, random: Random) {
    this.#folder = join(registry, 'blobs');
    this.#random = random;
  }

  path(sha256: string): string {
    return join(this.#folder, sha256);
  }

  /** Null when there is no such blob. */
  async bytes(sha256: string): Promise<number | null> {
    try {
      return (await stat(this.path(sha256))).size;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw error;
    }
  }

  /** While `work` needs blobs, or takes some in and has them named, none is removed. */
  async using<T>(work: () => Promise<T>): Promise<T> {
    while (this.#removing !== null) await this.#removing;
    this.#users += 1;
    try {
      return await work();
    } finally {
      this.#users -= 1;
    }
  }

  /** Does `work`, which removes blobs, while nobody is using any. False when somebody is: then it is not done. */
  async alone(work: () => Promise<void>): Promise<boolean> {
    if (this.#users > 0 || this.#removing !== null) return false;
    const done = Promise.withResolvers<void>();
    this.#removing = done.promise;
    try {
      await work();
      return true;
    } finally {
      this.#removing = null;
      done.resolve();
    }
  }

  /** For reading: what is open is read to its end also when it is removed. Null when there is no such blob. */
  async open(sha256: string): Promise<FileHandle | null> {
    try {
      return await open(this.path(sha256), 'r');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw error;
    }
  }

  /** With what a crash left of it. Only when `alone`. */
  async remove(sha256: string): Promise<void> {
    const names = await readdir(this.#folder).catch(() => []);
    const partials = names.filter((name) => name.startsWith(`${sha256}.`));
    for (const name of partials) await rm(join(this.#folder, name), { force: true });
    await durably('reactor.blob.remove', () => rm(this.path(sha256), { force: true }));
  }

  /**
   * Takes a copy of a file in. What is checked is the copy, so that nobody changes it in between.
   * Only while `using` them. Throws BlobMismatch when it is not what `want` says.
   */
  async take(source: string, want: BlobSize): Promise<void> {
    if ((await this.bytes(want.sha256)) === want.bytes) return;
    await mkdir(this.#folder, { recursive: true });
    const partial = `${this.path(want.sha256)}.${this.#random.id('copy')}.partial`;
    try {
      await copyFile(source, partial);
      const got = await flushAndMeasure(partial);
      if (got.bytes !== want.bytes || got.sha256 !== want.sha256)
        throw new BlobMismatch(
          `${source} has ${got.bytes} bytes and SHA-256 ${got.sha256}, the manifest says ${want.bytes} and ${want.sha256}`,
        );
      await durably('reactor.blob.rename', () => rename(partial, this.path(want.sha256)));
      await syncFolder(this.#folder);
    } finally {
      await rm(partial, { force: true });
    }
  }

  /** Puts a blob under another name, as a hard link where the file system can. */
  async place(sha256: string, target: string): Promise<void> {
    await mkdir(dirname(target), { recursive: true });
    await link(this.path(sha256), target).catch(() => copyFile(this.path(sha256), target));
  }
}

async function flushAndMeasure(path: string): Promise<BlobSize> {
  const file = await open(path, 'r+');
  try {
    await file.sync();
    const hash = createHash('sha256');
    const chunk = Buffer.alloc(HASH_CHUNK_BYTES);
    let bytes = 0;
    for (;;) {
      const { bytesRead } = await file.read(chunk, 0, HASH_CHUNK_BYTES, bytes);
      if (bytesRead === 0) return { bytes, sha256: hash.digest('hex') };
      hash.update(chunk.subarray(0, bytesRead));
      bytes += bytesRead;
    }
  } finally {
    await file.close();
  }
}
