// Rotation of a log whose writer is another process: it holds an O_APPEND descriptor, so the file is copied and
// truncated, and the writer goes on at its new beginning. Lines written between the last copied byte and the truncation
// are lost: microseconds, once per rotation.
//
//   x.log -> x.log.1 -> x.log.2 -> ... -> x.log.<kept> -> gone
import { open, rename, rm, stat, type FileHandle } from 'node:fs/promises';

const copyChunkBytes = 1024 * 1024;

/** Rotates when the file is larger than `bytesMax`; keeps `kept` older files. Returns whether it did; a file that is not there is not rotated. */
export async function rotateIfLarge(path: string, bytesMax: number, kept: number): Promise<boolean> {
  const size = await stat(path).then(
    (found) => found.size,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return 0;
      throw error;
    },
  );
  if (size <= bytesMax) return false;
  // The oldest goes first: on a full disk that is what makes room for the copy.
  await rm(`${path}.${kept}`, { force: true });
  for (let n = kept - 1; n >= 1; n--) await renameIfThere(`${path}.${n}`, `${path}.${n + 1}`);
  const copy = `${path}.1`;
  try {
    await copyAndTruncate(path, copy);
  } catch (error) {
    await rm(copy, { force: true });
    throw error;
  }
  return true;
}

async function copyAndTruncate(path: string, copy: string): Promise<void> {
  const source = await open(path, 'r+');
  try {
    const target = await open(copy, 'w', 0o600);
    try {
      await copyAll(source, target);
    } finally {
      await target.close();
    }
    await source.truncate(0);
  } finally {
    await source.close();
  }
}

/** Copies until nothing is left, also what is appended meanwhile. */
async function copyAll(source: FileHandle, target: FileHandle): Promise<void> {
  const chunk = Buffer.allocUnsafe(copyChunkBytes);
  for (let at = 0; ;) {
    const { bytesRead } = await source.read(chunk, 0, chunk.length, at);
    if (bytesRead === 0) return;
    await target.appendFile(chunk.subarray(0, bytesRead));
    at += bytesRead;
  }
}

async function renameIfThere(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
