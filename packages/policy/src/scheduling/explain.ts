// A sentence for each job that waits: why, and what would let it go.
import type { JobView, SchedulingSnapshot } from './snapshot.ts';

/**
 * Behind these, neither the place in the queue is told nor what is in the way of the first: with each start both change,
 * and every sentence that changes is written.
 */
const PLACES_TOLD_MAX = 100;
const FAR_BEHIND = `more than ${PLACES_TOLD_MAX} jobs are before it in the queue; its turn comes after theirs`;

export interface Explanation {
  readonly type: 'explain';
  readonly jobId: string;
  readonly reason: string;
}

export interface Explained {
  /** The queue without those who take a slot in this cycle. */
  readonly queue: readonly JobView[];
  /** Why a job of the queue may not go now. */
  readonly held: ReadonlyMap<string, string>;
  /** Why a lease cannot be granted now, by its holder. */
  readonly waiting: ReadonlyMap<string, string>;
}

export function explain(snapshot: SchedulingSnapshot, { queue, held, waiting }: Explained): Explanation[] {
  const inTheWay = snapshot.reactorAway === null ? slotsTaken(snapshot) : away(snapshot.reactorAway);
  const inQueue = queue.map((job, place): Explanation => {
    const ofTurn = place < PLACES_TOLD_MAX ? `number ${place + 1} in the queue; ${inTheWay}` : FAR_BEHIND;
    return { type: 'explain', jobId: job.jobId, reason: held.get(job.jobId) ?? ofTurn };
  });
  const forMemory = snapshot.jobs
    .filter((j) => j.state === 'waiting_for_memory' && waiting.has(j.jobId))
    .map((j): Explanation => {
      const seconds = Math.round(snapshot.options.slotTimeoutMs / 1000);
      const reason = `waits for memory: ${waiting.get(j.jobId) ?? ''}; it starts when there is room, and gives its slot back after ${seconds} s`;
      return { type: 'explain', jobId: j.jobId, reason };
    });
  return [...inQueue, ...forMemory];
}

function away(reason: string): string {
  return `nothing is started: ${reason}; it goes when Reactor Core answers`;
}

function slotsTaken({ slots, jobs }: SchedulingSnapshot): string {
  const holders = slots.flatMap((s) => (s.holder === null ? [] : [s.holder]));
  if (holders.length === 0) return 'it takes the next slot that is free';
  const told = holders.map((holder) => {
    const job = jobs.find((j) => j.jobId === holder);
    return job === undefined ? holder : `${holder} (${job.modelType}, ${job.state.replaceAll('_', ' ')})`;
  });
  const [what, end] =
    holders.length === 1 ? ['the slot is', 'that ends'] : ['the slots are', 'one of them ends'];
  return `${what} held by ${told.join(', ')}; its turn comes when ${end}`;
}
