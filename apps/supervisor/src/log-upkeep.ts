// Keeps the log files within their size for as long as the supervisor runs.
import { rotateIfLarge, type Timing } from '@jarvis/process';
import { messageOf } from './errors.ts';
import type { Logger } from './logger.ts';

/** A program in a tight loop writes some 100 MB in that time; looking costs microseconds. */
const logCheckIntervalMs = 5000;

export async function keepLogsSmall(
  paths: readonly string[],
  options: {
    readonly bytesMax: number;
    readonly filesKept: number;
    readonly timing: Timing;
    readonly log: Logger;
  },
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    for (const path of paths)
      try {
        await rotateIfLarge(path, options.bytesMax, options.filesKept);
      } catch (error) {
        options.log.error('a log file could not be rotated', { path, detail: messageOf(error) });
      }
    await options.timing.sleep(logCheckIntervalMs, signal);
  }
}
