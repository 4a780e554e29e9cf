// Which of those who wait for memory give their slot back, one cause at a time: after each the picture is another one.
import { PRIORITY_RANK } from '@jarvis/contracts';
import { neverFits } from './fit.ts';
import { beyondReach } from './guessed-need.ts';
import { orderQueue } from './order.ts';
import type { JobView, LeaseView, SchedulingSnapshot } from './snapshot.ts';

/** Who waited in vain lets others have a try for this share of the time that it waited. */
const PAUSE_SHARE = 0.1;

export interface Requeue {
  readonly type: 'requeue';
  readonly jobId: string;
  readonly reason: string;
  /** It does not take a slot again before. */
  readonly notBeforeMs: number;
}

/**
 * @param due who could take a slot that becomes free, first first
 * @param waiting why a lease cannot be granted now, by its holder
 */
export function requeue(
  snapshot: SchedulingSnapshot,
  leases: readonly LeaseView[],
  due: readonly JobView[],
  waiting: ReadonlyMap<string, string>,
): Requeue[] {
  const stuck = snapshot.jobs.filter((j) => j.state === 'waiting_for_memory' && waiting.has(j.jobId));
  const causes = [
    held(snapshot),
    tooLarge(snapshot, stuck),
    stranded(snapshot, leases),
    late(snapshot, stuck, waiting),
    outranked(snapshot, stuck, due),
  ];
  return causes.find((requeues) => requeues.length > 0) ?? [];
}

/** While nobody may train, nobody keeps a slot and memory for it either. */
function held({ jobs, hold, nowMs }: SchedulingSnapshot): Requeue[] {
  if (hold === null) return [];
  return jobs
    .filter((j) => j.state === 'waiting_for_memory' && !j.cancelRequested)
    .map((j) => ({ type: 'requeue', jobId: j.jobId, reason: hold.reason, notBeforeMs: nowMs }));
}

/** Who asks for more than there ever is, or by a guess for more than could be had now. */
function tooLarge({ memory, nowMs }: SchedulingSnapshot, stuck: readonly JobView[]): Requeue[] {
  return stuck.flatMap((j): Requeue[] => {
    const reason = beyondReach(j, memory) ?? neverFits(j.need, memory);
    return reason === null ? [] : [{ type: 'requeue', jobId: j.jobId, reason, notBeforeMs: nowMs }];
  });
}

/** Whose lease ran out before it could start. */
function stranded({ jobs, nowMs }: SchedulingSnapshot, leases: readonly LeaseView[]): Requeue[] {
  const reason = 'its lease ran out before it could start';
  return jobs
    .filter((j) => j.state === 'waiting_for_memory' && !j.cancelRequested && !mayBeGranted(j, leases))
    .map((j) => ({ type: 'requeue', jobId: j.jobId, reason, notBeforeMs: nowMs }));
}

/**
 * Whether the lease that a job waits for is granted or can still be. One that expired while Reactor Core was away never
 * is again; no run of this job can hold its memory, because none was started under it.
 */
function mayBeGranted(job: JobView, leases: readonly LeaseView[]): boolean {
  const lease = leases.find((l) => l.leaseId === job.leaseId);
  return lease !== undefined && lease.state !== 'expired_unconfirmed';
}

/** Who waited too long. Being the first of the queue it would take the slot again at once, for ever, and nobody else. */
function late(
  { nowMs, options }: SchedulingSnapshot,
  stuck: readonly JobView[],
  waiting: ReadonlyMap<string, string>,
): Requeue[] {
  const seconds = Math.round(options.slotTimeoutMs / 1000);
  return stuck
    .filter((j) => nowMs - (j.waitingSinceMs ?? nowMs) >= options.slotTimeoutMs)
    .map((j) => ({
      type: 'requeue',
      jobId: j.jobId,
      reason: `waited ${seconds} s for memory: ${waiting.get(j.jobId) ?? ''}`,
      notBeforeMs: nowMs + Math.round(options.slotTimeoutMs * PAUSE_SHARE),
    }));
}

/** The lowest of those who wait for memory, when one of a higher base class has no slot. */
function outranked(
  { slots, nowMs, options }: SchedulingSnapshot,
  stuck: readonly JobView[],
  due: readonly JobView[],
): Requeue[] {
  const first = due[0];
  if (first === undefined || slots.some((s) => s.holder === null)) return [];
  // One that aging has lifted before `first` would only take the slot again, and so without an end.
  const lower = stuck.filter(
    (j) =>
      PRIORITY_RANK[j.priority] > PRIORITY_RANK[first.priority] &&
      orderQueue([j, first], nowMs, options.agingMs)[0] === first,
  );
  const victim = lower.toSorted((a, b) => PRIORITY_RANK[b.priority] - PRIORITY_RANK[a.priority]).at(0);
  if (victim === undefined) return [];
  const reason = `${first.modelType} job ${first.jobId} is ${first.priority} and takes the slot while this one waits for memory`;
  return [{ type: 'requeue', jobId: victim.jobId, reason, notBeforeMs: nowMs }];
}
