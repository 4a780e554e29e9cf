// What clients see of jobs and runs.
import {
  CodedError,
  LAST_TRAINING_EVENTS,
  modelTypeSchema,
  type ResourceVector,
  resourceVectorSchema,
  type Run,
  type TrainingStatus,
} from '@jarvis/contracts';
import type { SseMessage } from '@jarvis/runtime';
import type { Database, EventLog } from '@jarvis/store';
import { findJob, type JobRow } from '../store/jobs.ts';
import { limitOf } from '../store/run-memory.ts';
import { findLastRun, listRuns, type RunRow } from '../store/runs.ts';
import { runStream } from './run-stream.ts';

const RUNS_SHOWN_MAX = 200;

async function mustFindJob(db: Database, jobId: string): Promise<JobRow> {
  const job = await findJob(db, jobId);
  if (job === undefined) throw new CodedError('not_found', `there is no job ${jobId}`);
  return job;
}

/** The job's outcome once it has one; until then the state of its last attempt. */
export async function readStatus(db: Database, jobId: string): Promise<TrainingStatus> {
  const job = await mustFindJob(db, jobId);
  const run = await findLastRun(db, jobId);
  return {
    job_id: jobId,
    status: job.outcome ?? run?.state ?? 'accepted',
    epoch: run?.epoch ?? 0,
    total_epochs: job.epochs,
    loss: run?.loss ?? null,
    accuracy: run?.accuracy ?? null,
    metrics: JSON.parse(run?.metrics ?? '{}') as Record<string, number>,
    model_version: job.model_version,
    error: job.error ?? run?.error ?? null,
    started_at: epochSeconds(run?.started_at),
    completed_at: epochSeconds(job.ended_at),
  };
}

/** The numbered events after `after`, then live ones; ends behind the job's last. */
export async function* readStream(
  store: { readonly db: Database; readonly events: EventLog },
  place: { readonly jobId: string; readonly after: number; readonly signal: AbortSignal },
): AsyncGenerator<SseMessage, void> {
  const stream = runStream(place.jobId);
  const job = await mustFindJob(store.db, place.jobId);
  if (job.outcome !== null && place.after >= (await store.events.lastSeq(stream))) return;
  const isLast = (event: { type: string }): boolean => LAST_TRAINING_EVENTS.includes(event.type);
  for await (const event of store.events.follow({ stream, after: place.after, signal: place.signal, isLast }))
    yield { id: String(event.seq), event: event.type, data: event.data };
}

export async function mustKnowJob(db: Database, jobId: string): Promise<void> {
  await mustFindJob(db, jobId);
}

/** Live runs first, then the newest. */
export async function readRuns(db: Database, liveOnly: boolean): Promise<Run[]> {
  return (await listRuns(db, { liveOnly, limit: RUNS_SHOWN_MAX })).map((row) => ({
    job_id: row.job_id,
    attempt: row.attempt,
    model_type: modelTypeSchema.parse(row.model_type),
    state: row.state,
    token: row.token,
    slot: row.slot,
    lease_id: row.lease_id,
    need: needOf(row),
    pid: row.ended_at === null ? row.pid : null,
    peak_ram_bytes: row.peak_ram_bytes,
    limit: limitOf(row),
    epoch: row.epoch,
    total_epochs: row.epochs,
    created_at: row.created_at,
    ended_at: row.ended_at,
  }));
}

export function needOf(run: RunRow): ResourceVector | null {
  return run.need === null ? null : resourceVectorSchema.parse(JSON.parse(run.need));
}

function epochSeconds(iso: string | null | undefined): number | null {
  return iso == null ? null : Date.parse(iso) / 1000;
}
