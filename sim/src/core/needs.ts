// What a job needs by now, learned from what earlier ones of its kind took; as JARVIS Core's store works it out.
import type { JobState, ModelType } from '@jarvis/contracts';
import type { TakenMemory } from '@jarvis/coordinator';
import { type LearnedNeed, learnNeed, needOf } from '@jarvis/policy';
import type { Transaction } from '../kernel/disk.ts';
import type { CoreTables, JobRow } from './tables.ts';

/** Of the simulated data sets only that they are there matters. */
const ROWS = 1;
/** Nothing was given to them yet. */
const MAY_ASK: readonly JobState[] = ['queued', 'waiting_for_memory'];

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

export function learnedNeedOf(row: JobRow, { taken }: CoreTables): Pick<LearnedNeed, 'bytes' | 'leastBytes'> {
  const bytes = row.need.ram_bytes;
  if (!MAY_ASK.includes(row.state)) return { bytes, leastBytes: bytes };
  const ofKind = [...taken.values()].filter((t) => t.modelType === row.modelType);
  const own = ofKind.filter((t) => t.jobId === row.jobId);
  const learned = needOf({ bytes, given: row.needGiven, rows: ROWS }, learnNeed(ofKind, ROWS), own);
  return row.state === 'queued' ? learned : { bytes, leastBytes: Math.min(bytes, learned.leastBytes) };
}
