// Whether trainings have to stop at a checkpoint for somebody who is no job: a person who pauses all of them, other
// programs that took the memory, or J-Prime, whom a request wants to answer with a model that is not in memory.
import { availableBytes, isReserving } from './fit.ts';
import { cheapestFirst, type Preemption } from './preempt.ts';
import type { JobView, LeaseView, MemoryView, SchedulingSnapshot } from './snapshot.ts';

/** A lease of a training that is no job of this queue: its holder is asked to give it back. */
export interface Reclaim {
  readonly type: 'reclaim';
  readonly leaseId: string;
  readonly reason: string;
}

/** @param serving J-Prime's leases for which there is no room */
export function giveWay(
  snapshot: SchedulingSnapshot,
  leases: readonly LeaseView[],
  serving: readonly LeaseView[],
): (Preemption | Reclaim)[] {
  const { hold, memory, options } = snapshot;
  if (hold?.stopsRunning === true) return stopAll(snapshot, leases, hold.reason);
  if (memory === null || isUnderWay(snapshot, leases)) return [];
  const steady = { ...memory, othersBytes: memory.othersSteadyBytes };
  if (availableBytes(steady, leases) < 0) {
    const reason =
      'stops at a checkpoint and goes on later: memory runs short, somebody else takes more than before';
    return stopOne(snapshot, leases, { memory: steady, neededBytes: 0, reason });
  }
  const first = options.policy === 'serving_first' ? serving[0] : undefined;
  if (first === undefined) return [];
  const reason = `stops at a checkpoint and goes on when J-Prime is idle again: a request needs ${first.holder}`;
  return stopOne(snapshot, leases, { memory, neededBytes: first.need.ram_bytes, reason });
}

/** One at a time: after it memory is another. */
function isUnderWay({ jobs }: SchedulingSnapshot, leases: readonly LeaseView[]): boolean {
  return jobs.some((j) => j.state === 'preempting') || leases.some((l) => l.reclaimed && isReserving(l));
}

function stopAll(
  { jobs, reactorAway }: SchedulingSnapshot,
  leases: readonly LeaseView[],
  why: string,
): (Preemption | Reclaim)[] {
  if (reactorAway !== null) return [];
  const reason = `stops at a checkpoint: ${why}`;
  return [
    ...jobs.filter(mayStop).map((j): Preemption => ({ type: 'preempt', jobId: j.jobId, reason })),
    ...strangersOf(jobs, leases).map((l): Reclaim => ({ type: 'reclaim', leaseId: l.leaseId, reason })),
  ];
}

interface Wanted {
  readonly memory: MemoryView;
  readonly neededBytes: number;
  readonly reason: string;
}

/** The cheapest whose going is enough; where nobody's is, the cheapest, for it is a step on the way. */
function stopOne(
  { jobs, reactorAway }: SchedulingSnapshot,
  leases: readonly LeaseView[],
  { memory, neededBytes, reason }: Wanted,
): (Preemption | Reclaim)[] {
  const enough = (holder: string): boolean =>
    availableBytes(
      without(memory, holder),
      leases.filter((l) => l.holder !== holder),
    ) >= neededBytes;
  const able = reactorAway === null ? jobs.filter(mayStop).toSorted(cheapestFirst) : [];
  const others = strangersOf(jobs, leases);
  const job = able.find((j) => enough(j.jobId));
  if (job !== undefined) return [{ type: 'preempt', jobId: job.jobId, reason }];
  const other = others.find((l) => enough(l.holder));
  if (other !== undefined) return [{ type: 'reclaim', leaseId: other.leaseId, reason }];
  const all = [...able.map((j) => j.jobId), ...others.map((l) => l.holder)];
  if (!all.some((holder) => frees(memory, leases, holder))) return [];
  const [firstJob] = able;
  if (firstJob !== undefined) return [{ type: 'preempt', jobId: firstJob.jobId, reason }];
  const [firstOther] = others;
  return firstOther === undefined ? [] : [{ type: 'reclaim', leaseId: firstOther.leaseId, reason }];
}

function frees(memory: MemoryView, leases: readonly LeaseView[], holder: string): boolean {
  const rest = leases.filter((l) => l.holder !== holder);
  return availableBytes(without(memory, holder), rest) > availableBytes(memory, leases);
}

function without(memory: MemoryView, holder: string): MemoryView {
  const { [holder]: _gone, ...holders } = memory.holders;
  return { ...memory, holders };
}

function mayStop({ state, cancelRequested }: JobView): boolean {
  return state === 'training' && !cancelRequested;
}

/** Trainings that Reactor Core was asked for by somebody else, and that were not asked to give way yet. */
function strangersOf(jobs: readonly JobView[], leases: readonly LeaseView[]): LeaseView[] {
  return leases.filter(
    (l) =>
      l.purpose === 'training' &&
      l.state === 'granted' &&
      !l.reclaimed &&
      !jobs.some((j) => j.jobId === l.holder),
  );
}
