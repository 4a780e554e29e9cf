// What a checkpoint must have in common with the run that takes it up: configuration and code, each as one hash.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TrainerJob } from '@jarvis/contracts';
import { canonicalJson, sha256Hex } from '@jarvis/model-kinds';

/** All that shapes the result beside data and code. */
export function configSha256(job: Pick<TrainerJob, 'model_type' | 'seed' | 'epochs' | 'config'>): string {
  const { model_type, seed, epochs, config } = job;
  return sha256Hex(canonicalJson({ model_type, seed, epochs, config }));
}

/** A folder or file of sources, and the name it has in the hash wherever it is installed. */
export interface SourceFolder {
  readonly name: string;
  readonly path: string;
}

async function sourcesOf({ name, path }: SourceFolder): Promise<{ name: string; bytes: Uint8Array }[]> {
  if (path.endsWith('.ts')) return [{ name, bytes: await readFile(path) }];
  const found: { name: string; bytes: Uint8Array }[] = [];
  for (const entry of await readdir(path, { withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith('.ts')) continue;
    found.push({ name: `${name}/${entry.name}`, bytes: await readFile(join(path, entry.name)) });
  }
  return found;
}

/** One hash over the TypeScript sources that make a model what it is: their names and their bytes. */
export async function codeSha256(folders: readonly SourceFolder[]): Promise<string> {
  const files = (await Promise.all(folders.map(sourcesOf))).flat().sort((a, b) => (a.name < b.name ? -1 : 1));
  return sha256Hex(files.map(({ name, bytes }) => `${sha256Hex(bytes)} ${name}\n`).join(''));
}
