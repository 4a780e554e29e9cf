// Where a model runs, the event loop or a thread of its own, and what becomes of one whose thread has crashed.
import type { WorkerThreadMode } from '@jarvis/contracts';

export type ModelPlace = 'loop' | 'thread';

/** On the loop a run holds up every other request; to a thread and back costs a message each way. */
export function placeOf(mode: WorkerThreadMode, costMs: number, loopCostMsMax: number): ModelPlace {
  if (mode === 'always') return 'thread';
  return mode === 'never' || costMs <= loopCostMsMax ? 'loop' : 'thread';
}

export interface CrashLimits {
  /** So many restarts within `windowMs`; the crash after them is the last. */
  readonly restartsMax: number;
  /** A crash longer ago than this is forgotten. */
  readonly windowMs: number;
}

export interface AfterCrash {
  readonly next: 'restart' | 'give up';
  /** The crashes to remember, this one among them; by monotonic time. */
  readonly crashesMs: readonly number[];
}

/** @param crashesMs when it crashed before, the oldest first */
export function afterCrash(crashesMs: readonly number[], nowMs: number, limits: CrashLimits): AfterCrash {
  const recent = [...crashesMs.filter((atMs) => nowMs - atMs < limits.windowMs), nowMs];
  return { next: recent.length <= limits.restartsMax ? 'restart' : 'give up', crashesMs: recent };
}
