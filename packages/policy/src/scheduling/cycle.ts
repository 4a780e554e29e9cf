// One scheduling cycle: numbered phases over one immutable snapshot. It decides; the coordinator acts.
//
//   1 observe   expired leases become unconfirmed; who is to be cancelled, or waited longer than it may, ends
//   2 order     the queue by effective class and submit time; who of it is due
//   3 negotiate which requested leases fit into memory now, and which never will; ask J-Prime for what is missing
//   4 give way  trainings stop for a person, for other programs, for a request that J-Prime has to answer
//   5 admit     granted: start; a free slot: the first that is due takes it
//   6 requeue   waited too long for memory, or a higher class came: back to the queue
//   7 preempt   a training gives way to a higher class
//   8 explain   a sentence for each job that waits
import type { ResourceVector } from '@jarvis/contracts';
import { dueOf } from './due.ts';
import { explain, type Explanation } from './explain.ts';
import { withinReach } from './guessed-need.ts';
import { type LeaseDecision, negotiate } from './negotiate.ts';
import { orderQueue } from './order.ts';
import { preempt, type Preemption } from './preempt.ts';
import { requeue, type Requeue } from './requeue.ts';
import type { JobView, LeaseView, SchedulingSnapshot } from './snapshot.ts';
import { giveWay, type Reclaim } from './yielding.ts';

export interface TakeSlot {
  readonly type: 'take_slot';
  readonly jobId: string;
  readonly slot: number;
  /** What it asks for. */
  readonly need: ResourceVector;
  readonly reason: string;
}

export type Decision =
  | { readonly type: 'expire_lease'; readonly leaseId: string }
  | LeaseDecision
  | { readonly type: 'start'; readonly jobId: string; readonly reason: string }
  | TakeSlot
  | { readonly type: 'cancel'; readonly jobId: string; readonly reason: string }
  | Requeue
  | Preemption
  | Reclaim
  | Explanation;

export function schedule(given: SchedulingSnapshot): Decision[] {
  const snapshot = withinReach(given);
  const expired = observe(snapshot);
  const cancelled = cancel(snapshot);
  const leases = afterExpiry(snapshot.leases, expired);
  const gone = new Set(cancelled.map((d) => ('jobId' in d ? d.jobId : '')));
  const queue = orderQueue(
    snapshot.jobs.filter((j) => j.state === 'queued' && !gone.has(j.jobId)),
    snapshot.nowMs,
    snapshot.options.agingMs,
  );
  const due = dueOf(snapshot, queue);
  const negotiated = negotiate(snapshot, leases);
  const { waiting } = negotiated;
  const starts = admitGranted(snapshot, leases, gone);
  const requeues = requeue(snapshot, leases, due.jobs, waiting);
  const taken = admitQueued(snapshot, due.jobs);
  const stays = queue.filter((j) => !taken.some((d) => 'jobId' in d && d.jobId === j.jobId));
  const yielding = giveWay(snapshot, leases, negotiated.serving);
  const settled = requeues.length + yielding.length === 0;
  return [
    ...expired,
    ...cancelled,
    ...negotiated.decisions,
    ...yielding,
    ...starts,
    ...requeues,
    ...taken,
    ...(settled ? preempt(snapshot, leases, wanting(snapshot, due.jobs, waiting)) : []),
    ...explain(snapshot, { queue: stays, held: due.held, waiting }),
  ];
}

function observe(snapshot: SchedulingSnapshot): Decision[] {
  if (snapshot.justWoke) return [];
  return snapshot.leases
    .filter((l) => l.state === 'granted' && l.expiresAtMs !== null && l.expiresAtMs <= snapshot.nowMs)
    .map((l) => ({ type: 'expire_lease', leaseId: l.leaseId }));
}

/** A cancel is usually done when it is asked for; here is what a crash or a full disk left in between, and who waited too long. */
function cancel({ jobs, nowMs }: SchedulingSnapshot): Decision[] {
  return jobs
    .filter((j) => j.state === 'queued' || j.state === 'waiting_for_memory')
    .flatMap((j): Decision[] => {
      const reason = j.cancelRequested ? 'cancelled before it started' : waitedTooLong(j, nowMs);
      return reason === null ? [] : [{ type: 'cancel', jobId: j.jobId, reason }];
    });
}

/** Only for what has never run: what has is worth going on with. */
function waitedTooLong(job: JobView, nowMs: number): string | null {
  if (job.maxWaitMs === null || job.hasRun || nowMs - job.submittedAtMs < job.maxWaitMs) return null;
  return `its turn did not come within ${Math.round(job.maxWaitMs / 1000)} s, the longest that it may wait`;
}

function afterExpiry(leases: readonly LeaseView[], expired: readonly Decision[]): LeaseView[] {
  const ids = new Set(expired.map((d) => (d.type === 'expire_lease' ? d.leaseId : '')));
  return leases.map((l) => (ids.has(l.leaseId) ? { ...l, state: 'expired_unconfirmed' } : l));
}

function admitGranted(
  snapshot: SchedulingSnapshot,
  leases: readonly LeaseView[],
  gone: ReadonlySet<string>,
): Decision[] {
  if (snapshot.reactorAway !== null || snapshot.hold !== null) return [];
  const granted = new Set(leases.filter((l) => l.state === 'granted').map((l) => l.leaseId));
  return snapshot.jobs
    .filter(
      (j) =>
        j.state === 'waiting_for_memory' &&
        j.leaseId !== null &&
        granted.has(j.leaseId) &&
        !gone.has(j.jobId),
    )
    .map((j) => ({ type: 'start', jobId: j.jobId, reason: 'it has a slot and its memory' }));
}

function admitQueued(snapshot: SchedulingSnapshot, due: readonly JobView[]): Decision[] {
  if (snapshot.reactorAway !== null) return [];
  const free = snapshot.slots.filter((s) => s.holder === null);
  return free.flatMap((slot, i): Decision[] => {
    const job = due[i];
    if (job === undefined) return [];
    const reason = `takes slot ${slot.slot} and asks for memory`;
    return [{ type: 'take_slot', jobId: job.jobId, slot: slot.slot, need: job.need, reason }];
  });
}

/** Who has a slot and lacks memory; then, when no slot is free, the first that has none. */
function wanting(
  { jobs, slots, nowMs, options }: SchedulingSnapshot,
  due: readonly JobView[],
  waiting: ReadonlyMap<string, string>,
): JobView[] {
  const forMemory = jobs.filter((j) => j.state === 'waiting_for_memory' && waiting.has(j.jobId));
  const forSlot = slots.some((s) => s.holder === null) ? [] : due.slice(0, 1);
  return orderQueue([...forMemory, ...forSlot], nowMs, options.agingMs);
}
