// The queue: the coordinator's store on a database. Each transition is one guarded statement, in one transaction with
// its event and with what it takes or gives back.
import {
  CodedError,
  DEFAULT_PRIORITY,
  isTerminal,
  type Job,
  JOB_LIFECYCLE,
  type JobEvent,
  type JobState,
  type ModelType,
  sourcesOf,
} from '@jarvis/contracts';
import { slotLockName } from '@jarvis/contracts';
import type {
  CoordinatorStore,
  JobEnd,
  Retry,
  StoredState,
  Submission,
  Submitted,
} from '@jarvis/coordinator';
import { isoOf, type Random } from '@jarvis/runtime';
import { type Database, type EventLog, join, type Sql, sql, type Transaction } from '@jarvis/store';
import { countNew } from './experiences.ts';
import { LeaseTable } from './leases.ts';
import { acquireLock, releaseLocksOf, slotOf } from './locks.ts';
import {
  type JobRow,
  jobOf,
  type LeaseRow,
  leaseViewOf,
  type LockRow,
  numberOrNull,
  storedJobOf,
} from './rows.ts';

const LIVE_STATES = (Object.keys(JOB_LIFECYCLE) as JobState[]).filter((s) => !isTerminal(JOB_LIFECYCLE, s));
/** Where a job's data may not be frozen yet: a start freezes it. */
const UNFROZEN_STATES: readonly JobState[] = ['queued', 'waiting_for_memory', 'starting'];
const LIVE_LEASES = ['requested', 'draining', 'granted', 'expired_unconfirmed'];
const REQUEUED_FROM = sourcesOf(JOB_LIFECYCLE, 'queued');

export function jobStream(jobId: string): string {
  return `job/${jobId}`;
}

export interface QueueOptions {
  readonly db: Database;
  readonly events: EventLog;
  readonly random: Random;
  readonly hostId: string;
  readonly lockTtlMs: number;
  readonly leaseTtlMs: number;
  readonly epochs: number;
  /** What a job of this kind needs when it does not say so itself, in bytes. */
  readonly defaultNeedBytes: (modelType: ModelType) => number;
}

interface Move {
  readonly jobId: string;
  readonly from: readonly JobState[];
  readonly to: JobState;
  readonly reason: string;
  readonly nowMs: number;
  /** Further columns, as `, a = …` */
  readonly set?: Sql;
}

export class Queue implements CoordinatorStore {
  readonly #options: QueueOptions;
  readonly #leases: LeaseTable;

  constructor(options: QueueOptions) {
    this.#options = options;
    this.#leases = new LeaseTable(options.events);
  }

  async load(): Promise<StoredState> {
    const { db, hostId } = this.#options;
    const jobs = await db.all<JobRow>(
      sql`SELECT * FROM jobs WHERE state IN (${join(LIVE_STATES)}) ORDER BY submitted_at`,
    );
    const locks = await db.all<LockRow>(sql`SELECT * FROM locks WHERE name LIKE 'training/%' ORDER BY name`);
    const leases = await db.all<LeaseRow>(
      sql`SELECT * FROM leases WHERE state IN (${join(LIVE_LEASES)}) ORDER BY requested_at`,
    );
    return {
      jobs: jobs.map((row) => storedJobOf(row, hostId)),
      slots: locks.flatMap((row) => {
        const slot = slotOf(row.name);
        return slot === null
          ? []
          : [
              {
                slot,
                holder: row.holder,
                token: Number(row.token),
                expiresAtMs: numberOrNull(row.expires_at),
              },
            ];
      }),
      leases: leases.map((row) => leaseViewOf(row, hostId)),
    };
  }

  submit(submission: Submission, nowMs: number): Promise<Submitted> {
    return this.#options.db.transaction(async (tx) => {
      const known = submission.job_id === undefined ? undefined : await findJobRow(tx, submission.job_id);
      if (known !== undefined) {
        if (known.model_type === submission.model_type) return { jobId: known.job_id, joined: true };
        throw new CodedError('job_conflict', `job ${known.job_id} is a ${known.model_type} job`);
      }
      const joined = submission.job_id === undefined ? await findJobToJoin(tx, submission) : undefined;
      if (joined !== undefined) return { jobId: joined, joined: true };
      return { jobId: await this.#insert(tx, submission, nowMs), joined: false };
    });
  }

  async #insert(tx: Transaction, submission: Submission, nowMs: number): Promise<string> {
    const { random, defaultNeedBytes, epochs } = this.#options;
    const jobId = submission.job_id ?? random.id('job');
    const need = submission.need ?? { ram_bytes: defaultNeedBytes(submission.model_type), vram_bytes: {} };
    await tx.run(sql`
      INSERT INTO jobs (job_id, model_type, priority, state, reason, source, epochs, config, auto_deploy, need_ram, need_vram, submitted_at)
      VALUES (${jobId}, ${submission.model_type}, ${submission.priority ?? DEFAULT_PRIORITY[submission.model_type]}, 'queued', ${submission.reason},
        ${submission.source}, ${submission.epochs ?? epochs}, ${JSON.stringify(submission.config)}, ${submission.auto_deploy},
        ${need.ram_bytes}, ${JSON.stringify(need.vram_bytes)}, ${nowMs})`);
    await this.#tell(tx, jobId, 'state', nowMs);
    return jobId;
  }

  takeSlot(jobId: string, slot: number, reason: string, nowMs: number): Promise<boolean> {
    const { lockTtlMs, random } = this.#options;
    return this.#attempt(async (tx) => {
      const token = await acquireLock(tx, {
        name: slotLockName(slot),
        holder: jobId,
        nowMs,
        ttlMs: lockTtlMs,
      });
      if (token === null) return false;
      const job = await findJobRow(tx, jobId);
      if (job === undefined) return false;
      const leaseId = random.id('lease');
      const need = {
        ram_bytes: Number(job.need_ram),
        vram_bytes: JSON.parse(job.need_vram) as Record<string, number>,
      };
      await this.#leases.request(tx, {
        leaseId,
        holder: jobId,
        need,
        reason: `for ${job.model_type} job ${jobId}`,
        nowMs,
      });
      const set = sql`, slot = ${slot}, token = ${token}, lease_id = ${leaseId}, waiting_since = ${nowMs}, not_before = NULL`;
      return this.#move(tx, {
        jobId,
        from: sourcesOf(JOB_LIFECYCLE, 'waiting_for_memory'),
        to: 'waiting_for_memory',
        reason,
        nowMs,
        set,
      });
    });
  }

  drainLease(leaseId: string, reason: string, nowMs: number): Promise<boolean> {
    return this.#attempt((tx) => this.#leases.change(tx, { leaseId, to: 'draining', reason, nowMs }));
  }

  grantLease(leaseId: string, reason: string, nowMs: number): Promise<boolean> {
    return this.#attempt((tx) =>
      this.#leases.change(tx, { leaseId, to: 'granted', reason, nowMs, ttlMs: this.#options.leaseTtlMs }),
    );
  }

  expireLease(leaseId: string, nowMs: number): Promise<boolean> {
    const reason =
      'its holder is silent; the memory stays reserved until Reactor Core says that no run holds it';
    return this.#attempt((tx) =>
      this.#leases.change(tx, { leaseId, to: 'expired_unconfirmed', reason, nowMs }),
    );
  }

  releaseHolder(holder: string, reason: string, nowMs: number): Promise<void> {
    return this.#options.db.transaction((tx) => this.#release(tx, holder, reason, nowMs));
  }

  beginStart(jobId: string, reason: string, nowMs: number): Promise<boolean> {
    return this.#attempt((tx) =>
      this.#move(tx, {
        jobId,
        from: ['waiting_for_memory'],
        to: 'starting',
        reason,
        nowMs,
        set: sql`, attempt = attempt + 1, waiting_since = NULL`,
      }),
    );
  }

  markTraining(jobId: string, token: number, nowMs: number): Promise<boolean> {
    return this.#attempt(async (tx) => {
      const job = await findJobRow(tx, jobId);
      if (job === undefined || Number(job.token) !== token) return false;
      return this.#move(tx, {
        jobId,
        from: ['starting'],
        to: 'training',
        reason: 'Reactor Core runs it',
        nowMs,
      });
    });
  }

  requeue(jobId: string, retry: Retry, nowMs: number): Promise<boolean> {
    return this.#attempt(async (tx) => {
      const job = await findJobRow(tx, jobId);
      if (job === undefined || !REQUEUED_FROM.includes(job.state)) return false;
      const refund = !retry.spendsAttempt && job.state !== 'waiting_for_memory' ? 1 : 0;
      await this.#release(tx, jobId, retry.reason, nowMs);
      const set = sql`, slot = NULL, lease_id = NULL, waiting_since = NULL, not_before = ${Math.round(retry.notBeforeMs)}, attempt = attempt - ${refund}`;
      const moved = await this.#move(tx, {
        jobId,
        from: REQUEUED_FROM,
        to: 'queued',
        reason: retry.reason,
        nowMs,
        set,
      });
      if (moved && job.cancel_requested !== 0) {
        return this.#move(tx, {
          jobId,
          from: ['queued'],
          to: 'cancelled',
          reason: 'cancelled',
          nowMs,
          set: sql`, ended_at = ${nowMs}`,
        });
      }
      return moved;
    });
  }

  end(
    jobId: string,
    end: JobEnd,
    detail: { reason: string; modelVersion: string | null; error: string | null },
    nowMs: number,
  ): Promise<boolean> {
    return this.#attempt(async (tx) => {
      const set = sql`, ended_at = ${nowMs}, model_version = ${detail.modelVersion}, error = ${detail.error}, slot = NULL, lease_id = NULL, waiting_since = NULL`;
      const moved = await this.#move(tx, {
        jobId,
        from: sourcesOf(JOB_LIFECYCLE, end),
        to: end,
        reason: detail.reason,
        nowMs,
        set,
      });
      if (moved) await this.#release(tx, jobId, `the job is ${end}`, nowMs);
      return moved;
    });
  }

  requestCancel(jobId: string, nowMs: number): Promise<JobEvent['state'] | null> {
    return this.#options.db.transaction(async (tx) => {
      const job = await findJobRow(tx, jobId);
      if (job === undefined) return null;
      if (isTerminal(JOB_LIFECYCLE, job.state) || job.cancel_requested !== 0) return job.state;
      await tx.run(
        sql`UPDATE jobs SET cancel_requested = 1, reason = 'to be cancelled' WHERE job_id = ${jobId}`,
      );
      await this.#tell(tx, jobId, 'progress', nowMs);
      return job.state;
    });
  }

  async progress(
    jobId: string,
    progress: { epoch: number; totalEpochs: number; loss: number | null; accuracy: number | null },
    nowMs: number,
  ): Promise<void> {
    await this.#options.db.transaction(async (tx) => {
      const changes = await tx.run(sql`
        UPDATE jobs SET epoch = ${progress.epoch}, epochs = ${progress.totalEpochs}, loss = ${progress.loss}, accuracy = ${progress.accuracy}
        WHERE job_id = ${jobId} AND state IN ('training', 'preempting')`);
      if (changes === 1) await this.#tell(tx, jobId, 'progress', nowMs);
    });
  }

  async moveCursor(jobId: string, cursor: number): Promise<void> {
    await this.#options.db.transaction((tx) =>
      tx.run(sql`UPDATE jobs SET run_cursor = ${cursor} WHERE job_id = ${jobId} AND run_cursor < ${cursor}`),
    );
  }

  async explain(jobId: string, reason: string): Promise<void> {
    const row = await this.#options.db.get<{ reason: string }>(
      sql`SELECT reason FROM jobs WHERE job_id = ${jobId}`,
    );
    if (row === undefined || row.reason === reason) return;
    await this.#options.db.transaction((tx) =>
      tx.run(
        sql`UPDATE jobs SET reason = ${reason} WHERE job_id = ${jobId} AND state IN (${join(LIVE_STATES)})`,
      ),
    );
  }

  /** Why a job is where it is. */
  async reasonOf(jobId: string): Promise<string | null> {
    const row = await this.#options.db.get<{ reason: string }>(
      sql`SELECT reason FROM jobs WHERE job_id = ${jobId}`,
    );
    return row?.reason ?? null;
  }

  /** Runs `work`; when it answers false, nothing that it wrote stays. */
  async #attempt(work: (tx: Transaction) => Promise<boolean>): Promise<boolean> {
    try {
      return await this.#options.db.transaction(async (tx) => {
        if (!(await work(tx))) throw new GuardFailed();
        return true;
      });
    } catch (error) {
      if (error instanceof GuardFailed) return false;
      throw error;
    }
  }

  async #move(tx: Transaction, move: Move): Promise<boolean> {
    const changes = await tx.run(sql`
      UPDATE jobs SET state = ${move.to}, reason = ${move.reason} ${move.set ?? sql``} WHERE job_id = ${move.jobId} AND state IN (${join([...move.from])})`);
    if (changes === 1) await this.#tell(tx, move.jobId, 'state', move.nowMs);
    return changes === 1;
  }

  /** Given back in the reverse order of taking: lease, then slot. */
  async #release(tx: Transaction, holder: string, reason: string, nowMs: number): Promise<void> {
    await this.#leases.releaseOf(tx, holder, reason, nowMs);
    await releaseLocksOf(tx, holder);
  }

  async #tell(tx: Transaction, jobId: string, type: 'state' | 'progress', nowMs: number): Promise<void> {
    const row = await findJobRow(tx, jobId);
    if (row === undefined) return;
    const job = jobOf(row);
    const data: JobEvent = {
      job_id: jobId,
      state: job.state,
      reason: job.reason,
      attempt: job.attempt,
      epoch: job.epoch,
      total_epochs: job.total_epochs,
      loss: job.loss,
      accuracy: job.accuracy,
      model_version: job.model_version,
    };
    await this.#options.events.append(tx, { stream: jobStream(jobId), type, data, at: isoOf(nowMs) });
  }
}

class GuardFailed extends Error {}

/**
 * A job that will take in the rows that this one is asked for: it has not frozen its data yet, whatever its stage. Or one
 * that took them in between the trigger's count and now.
 */
async function findJobToJoin(tx: Transaction, submission: Submission): Promise<string | undefined> {
  const { model_type: modelType, source } = submission;
  const open = await tx.get<{ job_id: string }>(sql`
    SELECT job_id FROM jobs WHERE model_type = ${modelType} AND state IN (${join([...UNFROZEN_STATES])}) AND dataset_sha256 IS NULL
      AND cancel_requested = 0 ORDER BY submitted_at LIMIT 1`);
  if (open !== undefined || source !== 'experiences' || (await countNew(tx, modelType)) > 0)
    return open?.job_id;
  const newest = await tx.get<{ job_id: string }>(sql`
    SELECT job_id FROM jobs WHERE model_type = ${modelType} AND data_through IS NOT NULL ORDER BY data_through DESC LIMIT 1`);
  return newest?.job_id;
}

async function findJobRow(from: Pick<Database, 'get'>, jobId: string): Promise<JobRow | undefined> {
  return from.get<JobRow>(sql`SELECT * FROM jobs WHERE job_id = ${jobId}`);
}

export async function findJob(db: Database, jobId: string): Promise<Job | undefined> {
  const row = await findJobRow(db, jobId);
  return row === undefined ? undefined : jobOf(row);
}

export interface StartDetails {
  readonly job: Job;
  readonly config: Record<string, unknown>;
  readonly autoDeploy: boolean;
  readonly source: string;
  readonly dataset: { readonly sha256: string; readonly rows: number } | null;
}

export async function findStartDetails(db: Database, jobId: string): Promise<StartDetails | undefined> {
  const row = await findJobRow(db, jobId);
  if (row === undefined) return undefined;
  const dataset =
    row.dataset_sha256 === null ? null : { sha256: row.dataset_sha256, rows: Number(row.dataset_rows) };
  return {
    job: jobOf(row),
    config: JSON.parse(row.config) as Record<string, unknown>,
    autoDeploy: row.auto_deploy !== 0,
    source: row.source,
    dataset,
  };
}

export async function setDataset(
  tx: Transaction,
  jobId: string,
  dataset: { sha256: string; rows: number; through: number },
): Promise<void> {
  await tx.run(sql`UPDATE jobs SET dataset_sha256 = ${dataset.sha256}, dataset_rows = ${dataset.rows}, data_through = ${dataset.through}
    WHERE job_id = ${jobId} AND dataset_sha256 IS NULL`);
}

export const JOB_LIST_MAX = 500;

export async function listJobs(db: Database, filter: { state?: JobState; limit: number }): Promise<Job[]> {
  const where = filter.state === undefined ? sql`` : sql`WHERE state = ${filter.state}`;
  return (
    await db.all<JobRow>(sql`SELECT * FROM jobs ${where} ORDER BY submitted_at DESC LIMIT ${filter.limit}`)
  ).map(jobOf);
}

export async function countJobs(db: Database, states: readonly JobState[]): Promise<number> {
  const row = await db.get<{ n: number | string }>(
    sql`SELECT COUNT(*) AS n FROM jobs WHERE state IN (${join([...states])})`,
  );
  return Number(row?.n ?? 0);
}
