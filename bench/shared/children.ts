// Children of a bench: waited for until they say a line, and ended.
import { type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { exited } from '@jarvis/testkit';

/** Resolves with the milliseconds from the spawn to the line that `said` recognises. */
export async function untilLine(child: ChildProcess, said: (line: string) => boolean): Promise<number> {
  const from = performance.now();
  if (child.stdout === null) throw new Error('its output has to be piped');
  const lines = createInterface({ input: child.stdout });
  for await (const line of lines) if (said(line)) return performance.now() - from;
  throw new Error('it ended without being ready');
}

export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  await exited(child);
}
