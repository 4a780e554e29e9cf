// When a submission is one that is there already: the same job_id asked for in the same way, or a job that waits and will
// do what is asked for.
import { isDeepStrictEqual } from 'node:util';
import { DEFAULT_PRIORITY, type JobState, PRIORITY_RANK, type PriorityClass } from '@jarvis/contracts';
import type { Submission } from '@jarvis/coordinator';
import { join, sql, type Transaction } from '@jarvis/store';
import type { JobRow } from './rows.ts';

/** A job whose data set is not frozen yet will learn from what has come in meanwhile. */
const JOINED_STATES: readonly JobState[] = ['queued', 'waiting_for_memory', 'starting'];
/** So many that wait are looked at; one behind them is as good as none. */
const LOOKED_AT_MAX = 100;

/** What the submission leaves open is as the job has it. */
export function isSameRequest(job: JobRow, submission: Submission): boolean {
  const { epochs, need } = submission;
  return (
    job.model_type === submission.model_type &&
    (epochs === undefined || epochs === Number(job.epochs)) &&
    (need === undefined || isSameNeed(job, need)) &&
    Boolean(job.auto_deploy) === submission.auto_deploy &&
    isDeepStrictEqual(JSON.parse(job.config), submission.config)
  );
}

function isSameNeed(job: JobRow, need: NonNullable<Submission['need']>): boolean {
  return (
    need.ram_bytes === Number(job.need_ram) && isDeepStrictEqual(JSON.parse(job.need_vram), need.vram_bytes)
  );
}

/** A trigger only wants its kind trained: it joins whatever waits. Who asks for something special joins what is the same. */
export async function findJoinable(tx: Transaction, submission: Submission): Promise<JobRow | undefined> {
  const waiting = await tx.all<JobRow>(sql`
    SELECT * FROM jobs
    WHERE model_type = ${submission.model_type} AND state IN (${join(JOINED_STATES)}) AND dataset_sha256 IS NULL AND cancel_requested = 0
    ORDER BY submitted_at LIMIT ${LOOKED_AT_MAX}`);
  return submission.source === 'asked' ? waiting.find((job) => isSameRequest(job, submission)) : waiting[0];
}

/** The higher of the two. */
export function joinedPriority(job: JobRow, submission: Submission): PriorityClass {
  const asked = submission.priority ?? DEFAULT_PRIORITY[submission.model_type];
  return PRIORITY_RANK[asked] < PRIORITY_RANK[job.priority] ? asked : job.priority;
}
