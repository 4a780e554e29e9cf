// What a start request asks for, as a job: when two of them ask for the same, and how long the work may take.
import { createHash } from 'node:crypto';
import {
  type ModelType,
  START_FIELDS_OF_AN_ATTEMPT,
  type TrainingStart,
  type TrainingStarted,
} from '@jarvis/contracts';
import { canonicalJson, sha256Hex } from '@jarvis/model-kinds';
import type { JobRow } from '../store/jobs.ts';
import type { PastRun } from '../store/runs.ts';

/** Seconds for one row in one epoch until a run of the kind has been seen to its end; meant to be roughly right. */
const ROUGH_ROW_EPOCH_SECONDS: Readonly<Record<ModelType, number>> = {
  nlu: 0.0005,
  voice: 0.01,
  vision: 0.02,
  embedding: 0.005,
  llm: 2,
};
/** Starting the program and writing the artifact. */
const ROUGH_START_SECONDS = 2;

/** Equal for requests that ask for the same, whoever holds the slot. A data set is its content, not the place it comes from. */
export function bodyDigest(start: TrainingStart): string {
  const ofAnAttempt: readonly string[] = START_FIELDS_OF_AN_ATTEMPT;
  const asked: Record<string, unknown> = Object.fromEntries(
    Object.entries(start).filter(([name]) => !ofAnAttempt.includes(name)),
  );
  if (start.dataset !== undefined)
    asked['dataset'] = { sha256: start.dataset.sha256, rows: start.dataset.rows };
  return sha256Hex(canonicalJson(asked));
}

/** The same for all attempts of a job, so that they yield the same bits. */
export function seedOf(jobId: string): number {
  return createHash('sha256').update(jobId).digest().readUInt32BE(0);
}

export function estimateSeconds(modelType: ModelType, rowEpochs: number, past: PastRun | undefined): number {
  if (past === undefined) return ROUGH_START_SECONDS + rowEpochs * ROUGH_ROW_EPOCH_SECONDS[modelType];
  const seconds = (Date.parse(past.ended_at) - Date.parse(past.started_at)) / 1000;
  return Math.max(0, (seconds * rowEpochs) / (past.rows * past.epochs));
}

export function startedAnswer(job: JobRow, attempt: number): TrainingStarted {
  return {
    job_id: job.job_id,
    status: 'started',
    message: `${job.model_type} trains on ${job.dataset_rows} rows for ${job.epochs} epochs`,
    estimated_duration_seconds: job.estimated_seconds,
    attempt,
  };
}
