// A pid alone is no identity: the kernel hands it out again. A pid and its start time are.
import { readProcess } from './processes.ts';
import { thisSystem, type System } from './system.ts';
import { systemTiming, type Timing } from './timing.ts';

/** When the process started (ticks since boot on Linux, seconds since the epoch on macOS); null when it is gone. */
export async function processStartTicks(pid: number, system: System = thisSystem): Promise<number | null> {
  return (await readProcess(pid, system))?.startTicks ?? null;
}

/** Whether the process that had this pid and start time still lives. A zombie does not. */
export async function isSameProcess(
  pid: number,
  startTicks: number,
  system: System = thisSystem,
): Promise<boolean> {
  return (await processStartTicks(pid, system)) === startTicks;
}

/** Soon enough for a restart to feel immediate; one small file read costs microseconds. */
const exitPollIntervalMs = 100;

export interface ExitWatch {
  readonly exited: Promise<void>;
  /** Ends the watch; `exited` then never settles. */
  stop(): void;
}

/** Watches a process that is not our child, so that no signal tells of its end. */
export function watchExit(
  pid: number,
  startTicks: number,
  options: { pollIntervalMs?: number; timing?: Timing; system?: System } = {},
): ExitWatch {
  const { pollIntervalMs = exitPollIntervalMs, timing = systemTiming, system = thisSystem } = options;
  const stopped = new AbortController();
  const exited = Promise.withResolvers<void>();
  async function poll(): Promise<void> {
    while (!stopped.signal.aborted) {
      if (!(await isSameProcess(pid, startTicks, system))) return exited.resolve();
      await timing.sleep(pollIntervalMs, stopped.signal);
    }
  }
  poll().catch(exited.reject);
  return { exited: exited.promise, stop: () => stopped.abort() };
}
