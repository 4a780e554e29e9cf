// A file of the registry, damaged for a while: as a bad disk would leave it, and put back as it was.
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** `unreadable`: cut in half. `longer`: it still reads the same, and is not what its digest says. */
export type Damage = 'unreadable' | 'longer';

/** Damages the `model.json` of a version while `work` is done. */
export async function damaged(
  home: string,
  digest: string,
  how: Damage,
  work: () => Promise<void>,
): Promise<void> {
  const blob = join(home, 'reactor-core', 'registry', 'blobs', digest);
  const [kept, made] = [`${blob}.kept`, `${blob}.made`];
  const text = await readFile(blob, 'utf8');
  await writeFile(made, how === 'longer' ? `${text}\n` : text.slice(0, text.length / 2));
  await rename(blob, kept);
  await rename(made, blob);
  try {
    await work();
  } finally {
    await rename(kept, blob);
  }
}
