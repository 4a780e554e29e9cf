// Who of those that ask for memory gets it now, and what J-Prime is asked to give up for the others.
//
//   wait, serving_first   what J-Prime asks for to answer requests comes first
//   training_first        what is asked for to train comes first
//
// Who comes first and finds no room keeps what there is from those behind: else room that is made for one by and by would
// go to the next smaller one.
import { fitLease, neverFits } from './fit.ts';
import type { LeaseView, SchedulingSnapshot } from './snapshot.ts';

export type LeaseDecision =
  | { readonly type: 'grant_lease'; readonly leaseId: string; readonly reason: string }
  /** It can never be granted. */
  | { readonly type: 'refuse_lease'; readonly leaseId: string; readonly reason: string }
  | { readonly type: 'explain_lease'; readonly leaseId: string; readonly reason: string }
  | { readonly type: 'drain'; readonly leaseId: string; readonly bytes: number; readonly reason: string };

export interface Negotiated {
  readonly decisions: readonly LeaseDecision[];
  /** Why a lease cannot be granted now, by its holder. */
  readonly waiting: ReadonlyMap<string, string>;
  /** J-Prime's leases for which there is no room, and how much they lack. */
  readonly serving: readonly LeaseView[];
}

export function negotiate(snapshot: SchedulingSnapshot, leases: readonly LeaseView[]): Negotiated {
  const decisions: LeaseDecision[] = [];
  const waiting = new Map<string, string>();
  const serving: LeaseView[] = [];
  let current = [...leases];
  for (const lease of inOrder(snapshot, leases)) {
    const fit = fitLease(lease, snapshot, current);
    if (fit.fits) {
      decisions.push({ type: 'grant_lease', leaseId: lease.leaseId, reason: 'measured: there is room' });
      current = reserved(current, lease);
      continue;
    }
    waiting.set(lease.holder, fit.reason);
    const decision = ofWaiting(lease, snapshot, fit);
    if (decision !== null) decisions.push(decision);
    if (decision?.type === 'refuse_lease' || fit.missingBytes <= 0) continue;
    if (lease.purpose === 'serving') serving.push(lease);
    if (keepsRoom(lease, snapshot)) current = reserved(current, lease);
  }
  return { decisions, waiting, serving };
}

/** Those who ask, the purpose that comes first before the other, each in the order in which it was asked. */
function inOrder({ options, hold }: SchedulingSnapshot, leases: readonly LeaseView[]): LeaseView[] {
  const first = options.policy === 'training_first' ? 'training' : 'serving';
  const asking = leases.filter((l) => l.state === 'requested' || l.state === 'draining');
  const may = hold === null ? asking : asking.filter((l) => l.purpose === 'serving');
  return [...may.filter((l) => l.purpose === first), ...may.filter((l) => l.purpose !== first)];
}

function keepsRoom({ purpose }: LeaseView, { options }: SchedulingSnapshot): boolean {
  return purpose === (options.policy === 'training_first' ? 'training' : 'serving');
}

function reserved(leases: readonly LeaseView[], { leaseId }: LeaseView): LeaseView[] {
  return leases.map((l) => (l.leaseId === leaseId ? { ...l, state: 'granted' } : l));
}

function ofWaiting(
  lease: LeaseView,
  { jobs, memory }: SchedulingSnapshot,
  { missingBytes, reason }: { readonly missingBytes: number; readonly reason: string },
): LeaseDecision | null {
  const { leaseId } = lease;
  // Jobs of the queue are explained, and sent back, as jobs. Hardly ever asked: not worth a set of all of them.
  const ours = jobs.some((j) => j.jobId === lease.holder);
  const never = ours ? null : neverFits(lease.need, memory);
  if (never !== null) return { type: 'refuse_lease', leaseId, reason: never };
  // J-Prime is not asked to make room for itself.
  const asksPrime = lease.purpose === 'training' && lease.state === 'requested' && missingBytes > 0;
  if (asksPrime && memory?.prime != null) return { type: 'drain', leaseId, bytes: missingBytes, reason };
  return ours ? null : { type: 'explain_lease', leaseId, reason };
}
