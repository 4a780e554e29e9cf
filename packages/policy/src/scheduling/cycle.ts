// One scheduling cycle: numbered phases over one immutable snapshot. It decides; the coordinator acts.
//
//   1 observe   expired leases become unconfirmed; who is to be cancelled and has no run yet, is
//   2 order     the queue by effective class and submit time
//   3 fit       which requested leases fit into memory now, and which never will
//   4 negotiate ask J-Prime for what is missing
//   5 admit     granted: start; a free slot: the first of the queue takes it
//   6 requeue   waited too long for memory, or a higher class came: back to the queue
//   7 explain   a sentence for each job that waits
import { PRIORITY_RANK } from '@jarvis/contracts';
import { fitLease, neverFits } from './fit.ts';
import { orderQueue } from './order.ts';
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
  | { readonly type: 'requeue'; readonly jobId: string; readonly reason: string }
  | { readonly type: 'cancel'; readonly jobId: string; readonly reason: string }
  | { readonly type: 'explain'; readonly jobId: string; readonly reason: string };

export function schedule(snapshot: SchedulingSnapshot): Decision[] {
  const expired = observe(snapshot);
  const leases = afterExpiry(snapshot.leases, expired);
  const queue = orderQueue(
    snapshot.jobs.filter((j) => j.state === 'queued' && !j.cancelRequested),
    snapshot.nowMs,
    snapshot.options.agingMs,
  );
  // A job that is larger than the whole budget would take the slot and wait in it for ever.
  const due = queue.filter(
    (j) =>
      (j.notBeforeMs === null || j.notBeforeMs <= snapshot.nowMs) &&
      neverFits(j.need, snapshot.memory) === null,
  );
  const fitted = fitAndNegotiate(snapshot, leases);
  const starts = admitGranted(snapshot, leases);
  const requeues = requeue(snapshot, leases, due, fitted.waiting);
  const taken = admitQueued(snapshot, due);
  return [
    ...expired,
    ...cancel(snapshot),
    ...fitted.decisions,
    ...starts,
    ...requeues,
    ...taken,
    ...explain(snapshot, queue, taken, fitted.waiting),
  ];
}

function observe(snapshot: SchedulingSnapshot): Decision[] {
  return snapshot.leases
    .filter((l) => l.state === 'granted' && l.expiresAtMs !== null && l.expiresAtMs <= snapshot.nowMs)
    .map((l) => ({ type: 'expire_lease', leaseId: l.leaseId }));
}

/** Usually done when it is asked for; this is for what a crash or a full disk left in between. */
function cancel(snapshot: SchedulingSnapshot): Decision[] {
  return snapshot.jobs
    .filter((j) => j.cancelRequested && (j.state === 'queued' || j.state === 'waiting_for_memory'))
    .map((j) => ({ type: 'cancel', jobId: j.jobId, reason: 'cancelled before it started' }));
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
  // Jobs of the queue are explained, and sent back, as jobs.
  const jobs = new Set(snapshot.jobs.map((j) => j.jobId));
  let current = [...leases];
  for (const lease of leases.filter((l) => l.state === 'requested' || l.state === 'draining')) {
    const fit = fitLease(lease, snapshot, current);
    if (fit.fits) {
      decisions.push({ type: 'grant_lease', leaseId: lease.leaseId, reason: 'measured: there is room' });
      current = current.map((l) => (l.leaseId === lease.leaseId ? { ...l, state: 'granted' } : l));
      continue;
    }
    waiting.set(lease.holder, fit.reason);
    const ours = jobs.has(lease.holder);
    const never = ours ? null : neverFits(lease.need, snapshot.memory);
    if (never !== null) decisions.push({ type: 'refuse_lease', leaseId: lease.leaseId, reason: never });
    else if (lease.state === 'requested' && fit.missingBytes > 0 && snapshot.memory?.prime != null)
      decisions.push({ type: 'drain', leaseId: lease.leaseId, bytes: fit.missingBytes, reason: fit.reason });
    else if (!ours) decisions.push({ type: 'explain_lease', leaseId: lease.leaseId, reason: fit.reason });
  }
  return { decisions, waiting };
}

function admitGranted(snapshot: SchedulingSnapshot, leases: readonly LeaseView[]): Decision[] {
  if (snapshot.reactorAway !== null) return [];
  const granted = new Set(leases.filter((l) => l.state === 'granted').map((l) => l.leaseId));
  return snapshot.jobs
    .filter(
      (j) =>
        j.state === 'waiting_for_memory' &&
        j.leaseId !== null &&
        granted.has(j.leaseId) &&
        !j.cancelRequested,
    )
    .map((j) => ({ type: 'start', jobId: j.jobId, reason: 'it has a slot and its memory' }));
}

/** Back to the queue, one cause at a time: after each the picture is another one. */
function requeue(
  snapshot: SchedulingSnapshot,
  leases: readonly LeaseView[],
  due: readonly JobView[],
  waiting: ReadonlyMap<string, string>,
): Decision[] {
  const stuck = snapshot.jobs.filter((j) => j.state === 'waiting_for_memory' && waiting.has(j.jobId));
  const causes = [
    tooLarge(snapshot, stuck),
    stranded(snapshot, leases),
    late(snapshot, stuck, waiting),
    outranked(snapshot, stuck, due),
  ];
  return causes.find((requeues) => requeues.length > 0) ?? [];
}

/** Who asks for more than there ever is. */
function tooLarge({ memory }: SchedulingSnapshot, stuck: readonly JobView[]): Decision[] {
  return stuck.flatMap((j): Decision[] => {
    const reason = neverFits(j.need, memory);
    return reason === null ? [] : [{ type: 'requeue', jobId: j.jobId, reason }];
  });
}

/** Whose lease ran out before it could start. */
function stranded({ jobs }: SchedulingSnapshot, leases: readonly LeaseView[]): Decision[] {
  return jobs
    .filter((j) => j.state === 'waiting_for_memory' && !j.cancelRequested && !mayBeGranted(j, leases))
    .map((j) => ({ type: 'requeue', jobId: j.jobId, reason: 'its lease ran out before it could start' }));
}

/** Who waited too long. */
function late(
  { nowMs, options }: SchedulingSnapshot,
  stuck: readonly JobView[],
  waiting: ReadonlyMap<string, string>,
): Decision[] {
  const seconds = Math.round(options.slotTimeoutMs / 1000);
  return stuck
    .filter((j) => nowMs - (j.waitingSinceMs ?? nowMs) >= options.slotTimeoutMs)
    .map((j) => ({
      type: 'requeue',
      jobId: j.jobId,
      reason: `waited ${seconds} s for memory: ${waiting.get(j.jobId) ?? ''}`,
    }));
}

/** The lowest of those who wait for memory, when one of a higher base class has no slot. */
function outranked(
  { slots, nowMs, options }: SchedulingSnapshot,
  stuck: readonly JobView[],
  due: readonly JobView[],
): Decision[] {
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
  return [
    {
      type: 'requeue',
      jobId: victim.jobId,
      reason: `${first.modelType} job ${first.jobId} is ${first.priority} and takes the slot while this one waits for memory`,
    },
  ];
}

/**
 * Whether the lease that a job waits for is granted or can still be. One that expired while Reactor Core was away never
 * is again; no run of this job can hold its memory, because none was started under it.
 */
function mayBeGranted(job: JobView, leases: readonly LeaseView[]): boolean {
  const lease = leases.find((l) => l.leaseId === job.leaseId);
  return lease !== undefined && lease.state !== 'expired_unconfirmed';
}

function admitQueued(snapshot: SchedulingSnapshot, due: readonly JobView[]): Decision[] {
  if (snapshot.reactorAway !== null) return [];
  const free = snapshot.slots.filter((s) => s.holder === null);
  return free.flatMap((slot, i) => {
    const job = due[i];
    return job === undefined
      ? []
      : [
          {
            type: 'take_slot',
            jobId: job.jobId,
            slot: slot.slot,
            reason: `takes slot ${slot.slot} and asks for memory`,
          } as const,
        ];
  });
}

function explain(
  snapshot: SchedulingSnapshot,
  queue: readonly JobView[],
  taken: readonly Decision[],
  waiting: ReadonlyMap<string, string>,
): Decision[] {
  const moving = new Set(taken.map((d) => (d.type === 'take_slot' ? d.jobId : '')));
  const holders = snapshot.slots.flatMap((s) => (s.holder === null ? [] : [s.holder]));
  const inQueue = queue
    .filter((j) => !moving.has(j.jobId))
    .map((job, position): Decision => {
      const retry = job.notBeforeMs !== null && job.notBeforeMs > snapshot.nowMs;
      const reason =
        neverFits(job.need, snapshot.memory) ??
        snapshot.reactorAway ??
        (retry
          ? `tried again at ${new Date(job.notBeforeMs ?? 0).toISOString()}`
          : `number ${position + 1} in the queue; the slot is held by ${holders.join(', ')}`);
      return { type: 'explain', jobId: job.jobId, reason };
    });
  const forMemory = snapshot.jobs
    .filter((j) => j.state === 'waiting_for_memory' && waiting.has(j.jobId))
    .map((j): Decision => ({
      type: 'explain',
      jobId: j.jobId,
      reason: `waits for memory: ${waiting.get(j.jobId) ?? ''}`,
    }));
  return [...inQueue, ...forMemory];
}
