// Starts the child programs of these tests, and knows when they are ready; whatever a test leaves is killed.
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type DetachedOptions, followFile, spawnDetached, type DetachedProcess } from '../src/index.ts';

export async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'jarvis-process-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export interface StartedChild extends DetachedProcess {
  readonly log: string;
}

export async function startChild(
  t: TestContext,
  name: string,
  args: readonly string[] = [],
  how: Pick<DetachedOptions, 'memoryGroup' | 'oomScoreAdjustment'> = {},
): Promise<StartedChild> {
  const folder = await temporaryFolder(t);
  const log = join(folder, `${randomUUID()}.log`);
  const child = await spawnDetached({
    command: process.execPath,
    args: [join(import.meta.dirname, 'children', `${name}.ts`), ...args],
    env: process.env,
    cwd: folder,
    stdoutPath: log,
    ...how,
  });
  t.after(async () => {
    child.signalGroup('SIGKILL');
    await child.exited;
  });
  return { ...child, log };
}

/** Waits for the first line of a file that begins so. */
export async function untilLine(path: string, beginning: string): Promise<string> {
  const found = new AbortController();
  for await (const line of followFile(path, { from: 'start', signal: found.signal, pollIntervalMs: 5 }))
    if (line.startsWith(beginning)) return line;
  throw new Error('the file is followed until the line is there');
}
