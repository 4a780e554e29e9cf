// What is to be done about a trainer that takes so much memory.
import { inGb } from '@jarvis/contracts';

/** Beyond this share of its limit a trainer is asked to checkpoint and go, while it still can. */
export const MEMORY_PRESSURE_SHARE = 0.9;
/**
 * What a program with its runtime needs before it looks at any data. A need below it is about the data, and a limit below
 * it would stop every trainer at once.
 */
export const LIMIT_BYTES_MIN = 256 * 1024 ** 2;

/** A group is killed for its own limit some pages below it. */
const REACHED_SHARE = 0.98;

/** Whether a group that held so much at most has come to its limit; true where nobody can tell. */
export function hasReached(peakBytes: number | null, limitBytes: number): boolean {
  return peakBytes === null || peakBytes >= limitBytes * REACHED_SHARE;
}

/** The limit of a run for which so much is reserved. */
export function limitBytesFor(reservedBytes: number): number {
  return Math.max(reservedBytes, LIMIT_BYTES_MIN);
}

/** Why the trainer has to stop now; null when it may go on. */
export function judgeMemory(usedBytes: number, limitBytes: number | null): string | null {
  if (limitBytes === null || usedBytes <= limitBytes * MEMORY_PRESSURE_SHARE) return null;
  const percent = Math.round((usedBytes / limitBytes) * 100);
  return `the trainer took ${inGb(usedBytes)}, ${percent} % of the ${inGb(limitBytes)} that it may take, and was asked to stop at a checkpoint`;
}
