// The machine as a trainer sees it. `nodeHost` is the only place where the kit touches the real clock and process.
import { readFileSync } from 'node:fs';

export interface TrainerHost {
  readonly pid: number;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Path of the job file. */
  readonly jobPath: string | undefined;
  now(): Date;
  /** Counts on through changes of the wall clock. */
  monotonicMs(): number;
  /** When this process started, in the kernel's ticks: tells a reused pid apart. Null where the kernel doesn't say. */
  startedTicks(): string | null;
  onStopSignal(stop: () => void): void;
  /** For a person at a terminal; the protocol goes through the events file. */
  complain(line: string): void;
  setExitCode(code: number): void;
}

const STARTED_TICKS_FIELD = 22;

/** Field 22 of /proc/pid/stat; the command's name, field 2, is in parentheses and may hold spaces. */
export function parseStartedTicks(stat: string): string | null {
  const afterName = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return afterName[STARTED_TICKS_FIELD - 3] ?? null;
}

function ownStartedTicks(): string | null {
  try {
    return parseStartedTicks(readFileSync('/proc/self/stat', 'utf8'));
  } catch {
    return null;
  }
}

export function nodeHost(): TrainerHost {
  return {
    pid: process.pid,
    // oxlint-disable-next-line no-restricted-properties -- the edge where the environment comes in
    environment: process.env,
    jobPath: process.argv[2],
    now: () => new Date(),
    monotonicMs: () => performance.now(),
    startedTicks: ownStartedTicks,
    onStopSignal(stop) {
      process.on('SIGTERM', stop);
      process.on('SIGINT', stop);
    },
    complain: (line) => process.stderr.write(`${line}\n`),
    setExitCode(code) {
      process.exitCode = code;
    },
  };
}
