// Whether a training has to give way. Only to a strictly higher base class, past a minimum run time, not too often, and
// only if what it holds is enough.
import { PRIORITY_RANK } from '@jarvis/contracts';
import { availableBytes } from './fit.ts';
import { orderQueue } from './order.ts';
import type { JobView, LeaseView, MemoryView, SchedulingSnapshot } from './snapshot.ts';

const HOUR_MS = 3_600_000;

export interface Preemption {
  readonly type: 'preempt';
  readonly jobId: string;
  readonly reason: string;
}

/**
 * At most one at a time: after it memory and slots are others.
 *
 * @param wanting those who lack a slot or memory, the first of them first
 */
export function preempt(
  snapshot: SchedulingSnapshot,
  leases: readonly LeaseView[],
  wanting: readonly JobView[],
): Preemption[] {
  const { memory, jobs, reactorAway } = snapshot;
  if (memory === null || reactorAway !== null || jobs.some((j) => j.state === 'preempting')) return [];
  for (const first of wanting) {
    const able = jobs.filter((victim) => mayPreempt(snapshot, victim, first));
    const enough = able.filter((victim) => frees(victim, first, memory, leases));
    const victim = enough.toSorted(cheapestFirst)[0];
    if (victim === undefined) continue;
    const reason = `stops at a checkpoint and goes on later: ${first.modelType} job ${first.jobId} is ${first.priority} and waits`;
    return [{ type: 'preempt', jobId: victim.jobId, reason }];
  }
  return [];
}

function mayPreempt({ nowMs, options }: SchedulingSnapshot, victim: JobView, first: JobView): boolean {
  if (victim.state !== 'training' || victim.cancelRequested || victim.trainingSinceMs === null) return false;
  const isLower = PRIORITY_RANK[victim.priority] > PRIORITY_RANK[first.priority];
  // One that aging has lifted before `first` would only take the slot again.
  const givesWay = orderQueue([victim, first], nowMs, options.agingMs)[0] === first;
  return (
    isLower &&
    givesWay &&
    nowMs - victim.trainingSinceMs >= options.preemptAfterMs &&
    victim.preemptedAtMs.filter((at) => Math.abs(nowMs - at) < HOUR_MS).length < options.preemptionsPerHour
  );
}

/** Whether `first` has enough when the victim is gone: what it reserves, or holds, whichever is more. */
function frees(victim: JobView, first: JobView, memory: MemoryView, leases: readonly LeaseView[]): boolean {
  const { [victim.jobId]: _gone, ...holders } = memory.holders;
  const others = leases.filter((l) => l.holder !== victim.jobId);
  return availableBytes({ ...memory, holders }, others) >= first.need.ram_bytes;
}

/** The lowest class, and of that the one that loses the least. */
export function cheapestFirst(a: JobView, b: JobView): number {
  return (
    PRIORITY_RANK[b.priority] - PRIORITY_RANK[a.priority] ||
    (b.trainingSinceMs ?? 0) - (a.trainingSinceMs ?? 0) ||
    (a.jobId < b.jobId ? -1 : 1)
  );
}
