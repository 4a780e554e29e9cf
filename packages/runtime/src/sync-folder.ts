// What is on the disk for good: a file's bytes, and a name only when the folder that holds it is flushed.
import { open } from 'node:fs/promises';

/** Flushes a folder's list of names. Windows can't open folders, and needs no such thing. */
export async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** A new file, flushed. Its folder is flushed by whoever gives it its name. */
export async function writeDurably(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'wx');
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}
