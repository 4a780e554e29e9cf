// What an event of a run, as Reactor Core tells it, means for the job. Each is taken in once, by its sequence number.
import type { RunState } from '@jarvis/contracts';
import { takenMemory } from './taken-memory.ts';
import type { CoordinatorStore, RunEvent, StoredJob } from './ports.ts';

export interface RetryRules {
  /** Whether a lost attempt is tried again at all. */
  readonly resume: boolean;
  /** Attempts after the first. */
  readonly limit: number;
  /** The wait before attempt n + 1. */
  readonly delayMs: (attempt: number) => number;
}

/** False when the event before this one is missing: it was told, but could not be stored. */
export async function applyRunEvent(
  store: CoordinatorStore,
  event: RunEvent,
  retries: RetryRules,
  nowMs: number,
): Promise<boolean> {
  const { jobs } = await store.load(nowMs);
  const job = jobs.find((j) => j.jobId === event.jobId);
  if (job === undefined || event.seq <= job.runCursor) return true;
  if (event.seq > job.runCursor + 1) return false;
  await apply(store, job, event, { retries, nowMs });
  await store.moveCursor(job.jobId, event.seq);
  return true;
}

interface Rules {
  readonly retries: RetryRules;
  readonly nowMs: number;
}

async function apply(store: CoordinatorStore, job: StoredJob, event: RunEvent, rules: Rules): Promise<void> {
  const { data } = event;
  const taken = isAnotherAttempt(job, data) ? null : takenMemory(job, event);
  if (taken !== null) await store.noteMemory(taken, rules.nowMs);
  switch (event.event) {
    case 'status':
      return applyStatus(store, job, event, rules);
    case 'completed': {
      const modelVersion = String(data['model_version']);
      await store.end(
        job.jobId,
        'completed',
        { reason: `trained ${modelVersion}`, modelVersion, error: null },
        rules.nowMs,
      );
      return;
    }
    case 'failed': {
      const error = String(data['error']);
      await store.end(job.jobId, 'failed', { reason: error, modelVersion: null, error }, rules.nowMs);
      return;
    }
    case 'cancelled':
      await store.end(
        job.jobId,
        'cancelled',
        { reason: 'cancelled', modelVersion: null, error: null },
        rules.nowMs,
      );
      return;
    case 'preempted':
      if (isAnotherAttempt(job, data)) return;
      await store.requeue(
        job.jobId,
        {
          reason: stoppedReason(data),
          notBeforeMs: rules.nowMs,
          spendsAttempt: false,
          runCursor: event.seq,
        },
        rules.nowMs,
      );
      return;
    default:
      // checkpoint, and whatever a newer Reactor Core may tell: nothing changes for the job.
      return;
  }
}

async function applyStatus(
  store: CoordinatorStore,
  job: StoredJob,
  { data, seq }: RunEvent,
  rules: Rules,
): Promise<void> {
  const status = data['status'] as RunState;
  if (status === 'running') {
    const progress = {
      epoch: Number(data['epoch']),
      totalEpochs: Number(data['total_epochs']),
      loss: numberOrNull(data['loss']),
      accuracy: numberOrNull(data['accuracy']),
    };
    await store.progress(job.jobId, progress, rules.nowMs);
    return;
  }
  if (status !== 'lost' || isAnotherAttempt(job, data)) return;
  const { retries, nowMs } = rules;
  if (!retries.resume || job.attempt > retries.limit) {
    const reason = retries.resume
      ? `the trainer died in each of ${job.attempt} attempts`
      : 'the trainer died, and AUTO_RESUME_FAILED_TRAINING is off';
    await store.end(job.jobId, 'failed', { reason, modelVersion: null, error: reason }, nowMs);
    return;
  }
  const outOfMemory = data['cause'] === 'out_of_memory';
  const how = outOfMemory ? 'ran out of memory' : 'died';
  const next = outOfMemory ? 'with more memory' : 'from its newest checkpoint';
  await store.requeue(
    job.jobId,
    {
      reason: `the trainer ${how} in attempt ${job.attempt}; it resumes ${next}`,
      notBeforeMs: nowMs + retries.delayMs(job.attempt),
      spendsAttempt: true,
      runCursor: seq,
    },
    nowMs,
  );
}

function stoppedReason(data: RunEvent['data']): string {
  return data['cause'] === 'memory_pressure'
    ? 'stopped at a checkpoint before it ran out of memory; goes on from there with more'
    : 'stopped at a checkpoint; goes on from there';
}

/**
 * A stream is read again from where it was left: what it says of attempts before this one is history. Which token is
 * the older one can't be told when they are of different slots, only that it is another.
 */
function isAnotherAttempt(job: StoredJob, data: RunEvent['data']): boolean {
  return typeof data['token'] === 'number' && job.token !== null && data['token'] !== job.token;
}

function numberOrNull(value: unknown): number | null {
  return typeof value === 'number' ? value : null;
}
