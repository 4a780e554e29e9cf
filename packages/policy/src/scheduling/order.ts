// The true order of the queue: effective class, then submit time. Aging lifts a waiting job by at most one class.
import { PRIORITY_RANK } from '@jarvis/contracts';
import type { JobView } from './snapshot.ts';

/** Rank after aging; 0 is served first. The right to take a slot from another never comes from here, only from the base class. */
export function effectiveRank(job: JobView, nowMs: number, agingMs: number): number {
  const base = PRIORITY_RANK[job.priority];
  return nowMs - job.submittedAtMs >= agingMs ? Math.max(0, base - 1) : base;
}

/** The queue in the order in which it is served; equal jobs by name, so that the order is total. */
export function orderQueue(jobs: readonly JobView[], nowMs: number, agingMs: number): JobView[] {
  const ranked = jobs.map((job) => ({ job, rank: effectiveRank(job, nowMs, agingMs) }));
  ranked.sort(
    (a, b) =>
      a.rank - b.rank || a.job.submittedAtMs - b.job.submittedAtMs || (a.job.jobId < b.job.jobId ? -1 : 1),
  );
  return ranked.map((r) => r.job);
}
