// A name is on the disk only when the folder that holds it is.
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
