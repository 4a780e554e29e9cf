// Which LLM process is ours: written before the program begins, so that a J-Prime that was killed finds it again and
// never starts a second one.
import { open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { durably } from '@jarvis/failpoints';
import { syncFolder } from '@jarvis/runtime';
import { z } from 'zod';

const ownerSchema = z.object({
  pid: z.int().positive(),
  started_ticks: z.int().positive(),
  port: z.int().min(1).max(65_535),
  /** Of the command, so that a changed one is not taken for the same. */
  fingerprint: z.string(),
  log_from_byte: z.int().min(0),
});
export type LlmOwner = z.infer<typeof ownerSchema>;

/** The file appears under its name complete or not at all, and stays there when the power fails. */
export async function writeOwner(path: string, owner: LlmOwner): Promise<void> {
  const draft = `${path}.draft`;
  const file = await open(draft, 'w', 0o600);
  try {
    await file.writeFile(`${JSON.stringify(owner)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await durably('prime.llm.owner', () => rename(draft, path));
  await syncFolder(dirname(path));
}

/** Null when there is none. Throws when the file holds something else. */
export async function readOwner(path: string): Promise<LlmOwner | null> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  return ownerSchema.parse(JSON.parse(text));
}

export async function removeOwner(path: string): Promise<void> {
  await rm(path, { force: true });
}
