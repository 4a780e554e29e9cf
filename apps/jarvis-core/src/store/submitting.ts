// A submission becomes a job, or is one that is there already.
import {
  CodedError,
  DEFAULT_PRIORITY,
  isTerminal,
  JOB_LIFECYCLE,
  type JobState,
  type ModelType,
} from '@jarvis/contracts';
import type { Submission, Submitted } from '@jarvis/coordinator';
import type { Random } from '@jarvis/runtime';
import { type EventLog, join, sql, type Transaction } from '@jarvis/store';
import { countNew } from './experiences.ts';
import { tellJob } from './job-events.ts';
import { findJobRow } from './jobs.ts';
import { findJoinable, isSameRequest, joinedPriority } from './joining.ts';
import type { JobRow } from './rows.ts';

export const LIVE_STATES = (Object.keys(JOB_LIFECYCLE) as JobState[]).filter(
  (s) => !isTerminal(JOB_LIFECYCLE, s),
);
/** Each scheduling cycle looks at all that have not ended. */
const LIVE_JOBS_MAX = 100_000;
const FULL_RETRY_SECONDS = 60;

export interface SubmitOptions {
  readonly events: EventLog;
  readonly random: Random;
  readonly epochs: number;
  /** How long a job that does not say so itself may wait for its first start. */
  readonly maxWaitMs: number;
  /** What a job of this kind needs when it does not say so itself, in bytes. */
  readonly defaultNeedBytes: (modelType: ModelType) => number;
}

/** Null when too few experiences are new. Throws `job_conflict` and `overloaded`. */
export async function submitJob(
  tx: Transaction,
  submission: Submission,
  nowMs: number,
  options: SubmitOptions,
): Promise<Submitted | null> {
  const { job_id: wanted, model_type: modelType, atLeastNew = 0 } = submission;
  const known = wanted === undefined ? undefined : await findJobRow(tx, wanted);
  if (known !== undefined) return sameJob(known, submission);
  const waiting = wanted === undefined ? await findJoinable(tx, submission) : undefined;
  if (waiting !== undefined) return joinJob(tx, waiting, submission, { nowMs, options });
  if (atLeastNew > 0 && (await countNew(tx, modelType)) < atLeastNew) return null;
  await refuseWhenFull(tx);
  return { jobId: await insertJob(tx, submission, nowMs, options), joined: false };
}

function sameJob(known: JobRow, submission: Submission): Submitted {
  if (isSameRequest(known, submission)) return { jobId: known.job_id, joined: true };
  throw new CodedError(
    'job_conflict',
    `job ${known.job_id} is another one: a ${known.model_type} job of ${known.epochs} epochs with the configuration ${known.config}; choose another job_id`,
  );
}

/** The waiting job goes on for both, in the higher of the two classes. */
async function joinJob(
  tx: Transaction,
  job: JobRow,
  submission: Submission,
  { nowMs, options }: { readonly nowMs: number; readonly options: SubmitOptions },
): Promise<Submitted> {
  const priority = joinedPriority(job, submission);
  if (priority !== job.priority) {
    await tx.run(sql`UPDATE jobs SET priority = ${priority} WHERE job_id = ${job.job_id}`);
    await tellJob(tx, options.events, { jobId: job.job_id, type: 'progress', nowMs });
  }
  return { jobId: job.job_id, joined: true };
}

async function refuseWhenFull(tx: Transaction): Promise<void> {
  const live = await tx.get<{ n: number | string }>(
    sql`SELECT count(*) AS n FROM jobs WHERE state IN (${join(LIVE_STATES)})`,
  );
  if (Number(live?.n) < LIVE_JOBS_MAX) return;
  throw new CodedError('overloaded', `${LIVE_JOBS_MAX} jobs have not ended yet: cancel some`, {
    retry_after_seconds: FULL_RETRY_SECONDS,
  });
}

async function insertJob(
  tx: Transaction,
  submission: Submission,
  nowMs: number,
  options: SubmitOptions,
): Promise<string> {
  const { random, defaultNeedBytes, epochs, maxWaitMs } = options;
  const { model_type: modelType, max_wait_seconds: maxWait } = submission;
  const jobId = submission.job_id ?? random.id('job');
  const need = submission.need ?? { ram_bytes: defaultNeedBytes(modelType), vram_bytes: {} };
  const ownMaxWaitMs = maxWait === undefined ? maxWaitMs : maxWait * 1000;
  await tx.run(sql`
    INSERT INTO jobs (job_id, model_type, priority, state, reason, source, epochs, config, auto_deploy, need_ram, need_vram, need_given, submitted_at, max_wait)
    VALUES (${jobId}, ${modelType}, ${submission.priority ?? DEFAULT_PRIORITY[modelType]}, 'queued', ${submission.reason},
      ${submission.source}, ${submission.epochs ?? epochs}, ${JSON.stringify(submission.config)}, ${submission.auto_deploy},
      ${need.ram_bytes}, ${JSON.stringify(need.vram_bytes)}, ${submission.need !== undefined}, ${nowMs}, ${Math.round(ownMaxWaitMs)})`);
  await tellJob(tx, options.events, { jobId, type: 'state', nowMs });
  return jobId;
}
