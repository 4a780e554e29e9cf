// Where trainers run. Today as children of this machine; a cluster's engine would be another implementation.
import type { ModelType } from '@jarvis/contracts';

export interface TrainerOrder {
  readonly modelType: ModelType;
  /** Absolute path of job.json. */
  readonly jobPath: string;
  readonly outputPath: string;
  readonly cwd: string;
  /** Folder of the cgroup that holds it to its memory. */
  readonly memoryGroup: string | null;
}

/** How a trainer ended, as far as it is known: nothing is, of one that was adopted. */
export interface TrainerExit {
  readonly code: number | null;
  readonly signal: string | null;
  /** Why the program did not even start. */
  readonly notStarted?: string;
}

export interface TrainerProcess {
  readonly pid: number;
  readonly startedTicks: number;
  /** Settles once the trainer and what it started are gone. */
  readonly exited: Promise<TrainerExit | null>;
  /** Asks to checkpoint and exit; kills after `graceMs`. Answers whether the exit is confirmed. */
  stop(graceMs: number): Promise<boolean>;
  /** Stops following it; the trainer goes on. */
  leave(): void;
}

export interface AdoptedIdentity {
  readonly pid: number;
  readonly startedTicks: number | null;
}

export interface Executor {
  supports(modelType: ModelType): boolean;
  /** Rejects with the system's error when the program cannot be started. */
  start(order: TrainerOrder): Promise<TrainerProcess>;
  /** The live one of these processes, as the one to follow; null when all are gone. */
  adopt(identities: readonly AdoptedIdentity[]): Promise<TrainerProcess | null>;
}

/** Stands for a trainer that could not be started: gone from the first moment on. */
export function neverStarted(why: string): TrainerProcess {
  return {
    pid: 0,
    startedTicks: 0,
    exited: Promise.resolve({ code: null, signal: null, notStarted: why }),
    stop: () => Promise.resolve(true),
    leave: () => undefined,
  };
}
