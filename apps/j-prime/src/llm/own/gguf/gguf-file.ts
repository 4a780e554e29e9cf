// What can be said of a model's file without loading it.
import { open } from 'node:fs/promises';

const MAGIC = 'GGUF';
/** Magic, version, count of tensors, count of keys. */
const HEADER_BYTES = 24;

/** A sentence that names the file and what is wrong with it; null when it looks like a model. */
export async function fileObstacle(path: string): Promise<string | null> {
  try {
    const file = await open(path, 'r');
    try {
      const header = Buffer.alloc(HEADER_BYTES);
      const { bytesRead } = await file.read(header, 0, HEADER_BYTES, 0);
      if (header.toString('latin1', 0, MAGIC.length) !== MAGIC) return `${path} is not a GGUF file`;
      return bytesRead < HEADER_BYTES ? `${path} is cut off: it ends after ${bytesRead} bytes` : null;
    } finally {
      await file.close();
    }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' ? `${path} is not there` : `${path} cannot be read: ${code ?? message}`;
  }
}
