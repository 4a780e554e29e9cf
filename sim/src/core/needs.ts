// What a job needs by now, learned from what earlier ones of its kind took; as JARVIS Core's store works it out.
import type { ModelType, ResourceVector } from '@jarvis/contracts';
import type { TakenMemory } from '@jarvis/coordinator';
import { needOf } from '@jarvis/policy';
import type { Transaction } from '../kernel/disk.ts';
import type { CoreTables, JobRow } from './tables.ts';

/** Of the simulated data sets only that they are there matters. */
const ROWS = 1;

/** Null when it was noted already, or the job is not known. */
export function noteTaken(
  tx: Transaction,
  tables: CoreTables,
  { jobId, attempt, peakBytes, outcome }: TakenMemory,
): ModelType | null {
  const job = tables.jobs.get(jobId);
  const key = `${jobId} ${attempt}`;
  if (job === undefined || tables.taken.has(key)) return null;
  const limitBytes = job.need.ram_bytes;
  const { modelType } = job;
  tx.insert(tables.taken, key, {
    jobId,
    modelType,
    rows: ROWS,
    peakBytes: peakBytes ?? limitBytes,
    limitBytes,
    outcome,
  });
  return modelType;
}

export function needOfJob(row: JobRow, { taken }: CoreTables): ResourceVector {
  if (row.state !== 'queued') return row.need;
  const ofKind = [...taken.values()].filter((t) => t.modelType === row.modelType);
  const job = { jobId: row.jobId, bytes: row.need.ram_bytes, given: row.needGiven, rows: ROWS };
  return { ...row.need, ram_bytes: needOf(job, ofKind).bytes };
}
