// One scheduling cycle: numbered phases over one immutable snapshot. It decides; the coordinator acts.
//
//   1 observe   expired leases become unconfirmed; who is to be cancelled, or waited longer than it may, ends
//   2 order     the queue by effective class and submit time; who of it is due
//   3 fit       which requested leases fit into memory now, and which never will
//   4 negotiate ask J-Prime for what is missing
//   5 admit     granted: start; a free slot: the first that is due takes it
//   6 requeue   waited too long for memory, or a higher class came: back to the queue
//   7 preempt   a training gives way to a higher class
//   8 explain   a sentence for each job that waits
import { dueOf } from './due.ts';
import { explain, type Explanation } from './explain.ts';
import { fitLease, neverFits } from './fit.ts';
import { orderQueue } from './order.ts';
import { preempt, type Preemption } from './preempt.ts';
import { requeue, type Requeue } from './requeue.ts';
import type { JobView, LeaseView, SchedulingSnapshot } from './snapshot.ts';

export type Decision =
  | { readonly type: 'expire_lease'; readonly leaseId: string }
  | { readonly type: 'grant_lease'; readonly leaseId: string; readonly reason: string }
  /** It can never be granted. */
  | { readonly type: 'refuse_lease'; readonly leaseId: string; readonly reason: string }
  | { readonly type: 'explain_lease'; readonly leaseId: string; readonly reason: string }
  | { readonly type: 'drain'; readonly leaseId: string; readonly bytes: number; readonly reason: string }
  | { readonly type: 'start'; readonly jobId: string; readonly reason: string }
  | { readonly type: 'take_slot'; readonly jobId: string; readonly slot: number; readonly reason: string }
  | { readonly type: 'cancel'; readonly jobId: string; readonly reason: string }
  | Requeue
  | Preemption
  | Explanation;

export function schedule(snapshot: SchedulingSnapshot): Decision[] {
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
  const fitted = fitAndNegotiate(snapshot, leases);
  const starts = admitGranted(snapshot, leases, gone);
  const requeues = requeue(snapshot, leases, due.jobs, fitted.waiting);
  const taken = admitQueued(snapshot, due.jobs);
  const stays = queue.filter((j) => !taken.some((d) => 'jobId' in d && d.jobId === j.jobId));
  return [
    ...expired,
    ...cancelled,
    ...fitted.decisions,
    ...starts,
    ...requeues,
    ...taken,
    ...(requeues.length > 0 ? [] : preempt(snapshot, leases, wanting(snapshot, due.jobs, fitted.waiting))),
    ...explain(snapshot, { queue: stays, held: due.held, waiting: fitted.waiting }),
  ];
}

function observe(snapshot: SchedulingSnapshot): Decision[] {
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

interface Fitted {
  readonly decisions: Decision[];
  /** Why a lease cannot be granted now, by its holder. */
  readonly waiting: ReadonlyMap<string, string>;
}

function fitAndNegotiate(snapshot: SchedulingSnapshot, leases: readonly LeaseView[]): Fitted {
  const decisions: Decision[] = [];
  const waiting = new Map<string, string>();
  let current = [...leases];
  for (const lease of leases.filter((l) => l.state === 'requested' || l.state === 'draining')) {
    const fit = fitLease(lease, snapshot, current);
    if (fit.fits) {
      decisions.push({ type: 'grant_lease', leaseId: lease.leaseId, reason: 'measured: there is room' });
      current = current.map((l) => (l.leaseId === lease.leaseId ? { ...l, state: 'granted' } : l));
      continue;
    }
    waiting.set(lease.holder, fit.reason);
    // Jobs of the queue are explained, and sent back, as jobs. Hardly ever asked: not worth a set of all of them.
    const ours = snapshot.jobs.some((j) => j.jobId === lease.holder);
    const never = ours ? null : neverFits(lease.need, snapshot.memory);
    if (never !== null) decisions.push({ type: 'refuse_lease', leaseId: lease.leaseId, reason: never });
    else if (lease.state === 'requested' && fit.missingBytes > 0 && snapshot.memory?.prime != null)
      decisions.push({ type: 'drain', leaseId: lease.leaseId, bytes: fit.missingBytes, reason: fit.reason });
    else if (!ours) decisions.push({ type: 'explain_lease', leaseId: lease.leaseId, reason: fit.reason });
  }
  return { decisions, waiting };
}

function admitGranted(
  snapshot: SchedulingSnapshot,
  leases: readonly LeaseView[],
  gone: ReadonlySet<string>,
): Decision[] {
  if (snapshot.reactorAway !== null) return [];
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
    return [{ type: 'take_slot', jobId: job.jobId, slot: slot.slot, reason }];
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
