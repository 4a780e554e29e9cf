// The end of a child process, also when it is past.
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/** Its exit code; null when a signal ended it. */
export async function exited(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  return child.exitCode;
}
