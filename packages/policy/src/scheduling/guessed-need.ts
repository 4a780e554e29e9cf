// What jobs ask for whose need is a guess: less than what could be given if all whom a lease is for went, and never so little
// that it has failed before. A guess beyond that would keep its job waiting for memory that it may not need.
import { availableBytes } from './fit.ts';
import type { JobView, MemoryView, SchedulingSnapshot } from './snapshot.ts';

/** Of what could be given: services and other programs may take a little more until it is granted. */
const ASKED_SHARE = 0.95;

/** The picture in which every job of the queue asks for what it may get. */
export function withinReach(snapshot: SchedulingSnapshot): SchedulingSnapshot {
  const { jobs, memory } = snapshot;
  if (memory === null || !jobs.some((job) => job.state === 'queued' && isGuess(job))) return snapshot;
  const mostBytes = Math.floor(reachBytes(memory) * ASKED_SHARE);
  return {
    ...snapshot,
    jobs: jobs.map((job) => (job.state === 'queued' && isGuess(job) ? reduced(job, mostBytes) : job)),
  };
}

/** Why a job that has asked for a guess asks again, for less; null where it need not. */
export function beyondReach(job: JobView, memory: MemoryView | null): string | null {
  if (memory === null || !isGuess(job) || job.need.ram_bytes <= reachBytes(memory)) return null;
  return 'it asked for more than is within reach now, and less may do: it asks again';
}

function isGuess({ need, leastRamBytes }: JobView): boolean {
  return leastRamBytes < need.ram_bytes;
}

function reachBytes(memory: MemoryView): number {
  return availableBytes({ ...memory, holders: {} }, []);
}

function reduced(job: JobView, mostBytes: number): JobView {
  const ram_bytes = Math.max(job.leastRamBytes, Math.min(job.need.ram_bytes, mostBytes));
  return { ...job, need: { ...job.need, ram_bytes } };
}
