// What the end of a run tells about the memory that its model type needs.
import { inGb } from '@jarvis/contracts';
import type { RunEvent, StoredJob, TakenMemory } from './ports.ts';

/** null: this event tells nothing about it. What was stopped half-way may not have reached its peak. */
export function takenMemory(job: StoredJob, { event, data }: RunEvent): TakenMemory | null {
  const { jobId } = job;
  // Reactor Core counts each attempt; here one that was stopped for want of memory is given back, and its number used again.
  const attempt = typeof data['attempt'] === 'number' ? data['attempt'] : job.attempt;
  const peak = data['peak_ram_bytes'];
  const peakBytes = typeof peak === 'number' ? peak : null;
  if (event === 'completed' && peakBytes !== null)
    return { jobId, attempt, peakBytes, outcome: 'ended', failure: null };
  const ranOut = { jobId, attempt, peakBytes, outcome: 'out_of_memory' } as const;
  if (event === 'preempted' && data['cause'] === 'memory_pressure') return { ...ranOut, failure: null };
  if (event === 'status' && data['status'] === 'lost' && data['cause'] === 'out_of_memory')
    return { ...ranOut, failure: `${job.modelType} ran out of memory under ${inGb(job.need.ram_bytes)}` };
  return null;
}
