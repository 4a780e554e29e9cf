// Whether everything has come to its end: jobs, runs, trainers, slots and leases.
import { isTerminal, JOB_LIFECYCLE } from '@jarvis/contracts';
import { liveLeases } from '../core/leases.ts';
import { liveJobs } from '../core/store.ts';
import { liveRuns } from '../reactor/tables.ts';
import type { World } from '../world.ts';

/** What has not ended yet, in words; null when nothing is left. */
export function unfinished(world: World, acknowledged: ReadonlySet<string>): string | null {
  const { core, reactor } = world;
  for (const jobId of acknowledged) if (!core.tables.jobs.has(jobId)) return `${jobId} is lost`;
  const job = liveJobs(core.tables)[0];
  if (job !== undefined) return `${job.jobId} is still ${job.state}: ${job.reason}`;
  const lease = liveLeases(core.tables)[0];
  if (lease !== undefined) return `lease ${lease.leaseId} of ${lease.holder} is still ${lease.state}`;
  for (const lock of core.tables.locks.values())
    if (lock.slot !== null && lock.holder !== null) return `${lock.name} is still held by ${lock.holder}`;
  const run = liveRuns(reactor.ground.tables)[0];
  if (run !== undefined) return `run ${run.jobId}/${run.attempt} is still ${run.state}`;
  const trainer = world.liveTrainers()[0];
  if (trainer !== undefined) return `${trainer.process.name} of ${trainer.folder.jobId} still lives`;
  return differing(world);
}

/** A job that both services know has ended the same way in both; what JARVIS Core ended by itself was never completed there. */
function differing({ core, reactor }: World): string | null {
  for (const { jobId, outcome, owner } of reactor.ground.tables.jobs.values()) {
    const state = core.tables.jobs.get(jobId)?.state;
    if (owner === 'self' && outcome === null) return `${jobId} of Reactor Core has not ended`;
    if (state === undefined || !isTerminal(JOB_LIFECYCLE, state)) continue;
    if (outcome !== null && outcome !== state && outcome === 'completed')
      return `${jobId} is ${outcome} at Reactor Core and ${state} at JARVIS Core`;
  }
  return null;
}
