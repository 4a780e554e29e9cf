// A folder for one test, removed with everything in it when the test ends.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { afterwards } from './afterwards.ts';

export async function tempFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'jarvis-test-'));
  afterwards(t, () => rm(folder, { recursive: true, force: true, maxRetries: 3 }));
  return folder;
}
