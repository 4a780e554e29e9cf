// Writing that survives a power cut: bytes are on the disk before the name that leads to them is.
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { durably, type Step } from '@jarvis/failpoints';

/** Flushes a folder's list of names. Windows can't open folders, and needs no such thing. */
async function syncFolder(dir: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(dir, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function writeSynced(path: string, bytes: Uint8Array): Promise<void> {
  const handle = await open(path, 'wx');
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** A folder of files beside its final name, flushed, the `manifest` last. */
export interface FolderContents {
  readonly files: Readonly<Record<string, Uint8Array>>;
  readonly manifest: { readonly name: string; readonly bytes: Uint8Array };
}

/** The name a folder has while it is written; what is found under it is left from a crash. */
export function partialName(dir: string): string {
  return `${dir}.partial`;
}

/**
 * Writes a folder so that it is there whole or not at all.
 * @throws when `dir` exists already and is not empty
 */
export async function publishFolder(dir: string, contents: FolderContents, step: Step): Promise<void> {
  const partial = partialName(dir);
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { recursive: true });
  for (const [name, bytes] of Object.entries(contents.files)) await writeSynced(join(partial, name), bytes);
  await writeSynced(join(partial, contents.manifest.name), contents.manifest.bytes);
  await syncFolder(partial);
  await durably(step, () => rename(partial, dir));
  await syncFolder(dirname(dir));
}
