// The queue: the coordinator's store on a database. Each transition is one guarded statement, in one transaction with
// its event and with what it takes or gives back.
import {
  isTerminal,
  JOB_LIFECYCLE,
  JOB_STATES,
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
  Silent,
  StoredState,
  Submission,
  Submitted,
  TakenMemory,
} from '@jarvis/coordinator';
import type { BreakerRules, LearnedNeed, TakeSlot } from '@jarvis/policy';
import { type Database, join, raw, type Sql, sql, type Step, type Transaction } from '@jarvis/store';
import { countFailure, countOutcome, forgetBreaker, listBreakers } from './breakers.ts';
import { tellJob } from './job-events.ts';
import { findJobRow } from './jobs.ts';
import { findLease, LeaseTable } from './leases.ts';
import { LIVE_STATES, submitJob, type SubmitOptions } from './submitting.ts';
import { noteTaken, TakenTable } from './taken-memory.ts';
import { acquireLock, releaseLock, releaseLocksOf, slotOf } from './locks.ts';
import {
  type LeaseRow,
  leaseViewOf,
  type LockRow,
  numberOrNull,
  preemptedAt,
  STORED_JOB_COLUMNS,
  storedJobOf,
  type StoredJobRow,
} from './rows.ts';

const STORED_JOB = raw(STORED_JOB_COLUMNS.join(', '));
const LIVE_LEASES = ['requested', 'draining', 'granted', 'expired_unconfirmed'];
/** Older preemptions of a job than the newest so many are forgotten: they are counted within an hour. */
const PREEMPTIONS_KEPT = 20;
/** As what a state is not: SQLite would else look for some jobs among all that are in one of the others. */
const ENDED_STATES = JOB_STATES.filter((state) => isTerminal(JOB_LIFECYCLE, state));
/** Far behind in a long queue all are told the same. */
const TOLD_TOGETHER = 100;
/** Nothing was given to them yet. */
const MAY_ASK: readonly JobState[] = ['queued', 'waiting_for_memory'];
const REQUEUED_FROM = sourcesOf(JOB_LIFECYCLE, 'queued');

export interface QueueOptions extends SubmitOptions {
  readonly db: Database;
  readonly hostId: string;
  /** Slots that may be taken; one beyond them, from a larger configuration, is only waited for. */
  readonly slots: number;
  readonly lockTtlMs: number;
  readonly leaseTtlMs: number;
  readonly breaker: BreakerRules;
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
  readonly #taken: TakenTable;

  constructor(options: QueueOptions) {
    this.#options = options;
    this.#taken = new TakenTable(options.db);
    this.#leases = new LeaseTable(options.events);
  }

  async load(): Promise<StoredState> {
    const { db, hostId, slots } = this.#options;
    const jobs = await db.all<StoredJobRow>(
      sql`SELECT ${STORED_JOB} FROM jobs WHERE state IN (${join(LIVE_STATES)}) ORDER BY submitted_at`,
    );
    const locks = await db.all<LockRow>(sql`SELECT * FROM locks WHERE name LIKE 'training/%' ORDER BY name`);
    const leases = await db.all<LeaseRow>(
      sql`SELECT * FROM leases WHERE state IN (${join(LIVE_LEASES)}) ORDER BY requested_at`,
    );
    const needs = await this.#taken.needs();
    return {
      breakers: await listBreakers(db),
      jobs: jobs.map((row) =>
        storedJobOf(row, hostId, MAY_ASK.includes(row.state) ? needs.ofJob(row) : null),
      ),
      slots: locks.flatMap((row) => {
        const slot = slotOf(row.name);
        return slot === null || (slot >= slots && row.state === 'free')
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

  /** What a job of this kind would be given now that does not say what it needs. */
  async needOfNext(modelType: ModelType): Promise<LearnedNeed> {
    const needs = await this.#taken.needs();
    return needs.ofNext(modelType, this.#options.defaultNeedBytes(modelType));
  }

  submit(submission: Submission, nowMs: number): Promise<Submitted | null> {
    return this.#options.db.transaction('core.job.submit', (tx) =>
      submitJob(tx, submission, nowMs, this.#options),
    );
  }

  takeSlot({ jobId, slot, need, reason }: TakeSlot, nowMs: number): Promise<boolean> {
    const { lockTtlMs, random } = this.#options;
    return this.#attempt('core.job.take_slot', async (tx) => {
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
      await this.#leases.request(tx, {
        leaseId,
        holder: jobId,
        need,
        reason: `for ${job.model_type} job ${jobId}`,
        nowMs,
      });
      const set = sql`, slot = ${slot}, token = ${token}, lease_id = ${leaseId}, need_ram = ${need.ram_bytes}, waiting_since = ${nowMs}, not_before = NULL`;
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
    return this.#attempt('core.lease.drain', (tx) =>
      this.#leases.change(tx, { leaseId, to: 'draining', reason, nowMs }),
    );
  }

  grantLease(leaseId: string, reason: string, nowMs: number): Promise<boolean> {
    return this.#attempt('core.lease.grant', (tx) =>
      this.#leases.change(tx, { leaseId, to: 'granted', reason, nowMs, ttlMs: this.#options.leaseTtlMs }),
    );
  }

  refuseLease(leaseId: string, reason: string, nowMs: number): Promise<boolean> {
    return this.#attempt('core.lease.refuse', (tx) =>
      this.#leases.change(tx, { leaseId, to: 'refused', reason, nowMs }),
    );
  }

  reclaimLease(leaseId: string, reason: string, nowMs: number): Promise<boolean> {
    return this.#attempt('core.lease.reclaim', (tx) => this.#leases.reclaim(tx, leaseId, reason, nowMs));
  }

  async noteMemory(taken: TakenMemory, nowMs: number): Promise<void> {
    await this.#options.db.transaction('core.memory.note', async (tx) => {
      const modelType = await noteTaken(tx, taken, nowMs);
      tx.afterCommit(() => this.#taken.forget());
      if (modelType === null || taken.failure === null) return;
      await countFailure(tx, { modelType, error: taken.failure, nowMs }, this.#options.breaker);
    });
  }

  async explainLease(leaseId: string, reason: string): Promise<void> {
    const row = await findLease(this.#options.db, leaseId);
    if (row === undefined || row.reason === reason) return;
    await this.#options.db.transaction('core.lease.explain', (tx) =>
      this.#leases.explain(tx, leaseId, reason),
    );
  }

  expireLease(leaseId: string, nowMs: number): Promise<boolean> {
    const reason =
      'its holder is silent; the memory stays reserved until Reactor Core says that no run holds it';
    return this.#attempt('core.lease.expire', (tx) =>
      this.#leases.change(tx, { leaseId, to: 'expired_unconfirmed', reason, nowMs }),
    );
  }

  releaseSilent(silent: Silent, reason: string, nowMs: number): Promise<void> {
    return this.#options.db.transaction('core.holder.release', async (tx) => {
      for (const leaseId of silent.leaseIds)
        await this.#leases.change(tx, { leaseId, to: 'released', reason, nowMs });
      for (const { slot, token } of silent.slots)
        await releaseLock(tx, { name: slotLockName(slot), holder: silent.holder, token });
    });
  }

  beginStart(jobId: string, reason: string, nowMs: number): Promise<boolean> {
    return this.#attempt('core.job.begin_start', (tx) =>
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
    return this.#attempt('core.job.training', async (tx) => {
      const job = await findJobRow(tx, jobId);
      if (job === undefined || Number(job.token) !== token) return false;
      return this.#move(tx, {
        jobId,
        from: ['starting'],
        to: 'training',
        reason: 'Reactor Core runs it',
        nowMs,
        set: sql`, training_since = ${nowMs}`,
      });
    });
  }

  beginPreempt(jobId: string, reason: string, nowMs: number): Promise<boolean> {
    return this.#attempt('core.job.preempt', async (tx) => {
      const job = await findJobRow(tx, jobId);
      if (job === undefined) return false;
      const preempted = [...preemptedAt(job), nowMs].slice(-PREEMPTIONS_KEPT);
      return this.#move(tx, {
        jobId,
        from: sourcesOf(JOB_LIFECYCLE, 'preempting'),
        to: 'preempting',
        reason,
        nowMs,
        set: sql`, preempted_at = ${JSON.stringify(preempted)}`,
      });
    });
  }

  requeue(jobId: string, retry: Retry, nowMs: number): Promise<boolean> {
    return this.#attempt('core.job.requeue', async (tx) => {
      const job = await findJobRow(tx, jobId);
      if (job === undefined || !REQUEUED_FROM.includes(job.state)) return false;
      const refund = !retry.spendsAttempt && job.state !== 'waiting_for_memory' ? 1 : 0;
      await this.#release(tx, jobId, retry.reason, nowMs);
      const set = sql`, slot = NULL, lease_id = NULL, waiting_since = NULL, training_since = NULL, not_before = ${Math.round(retry.notBeforeMs)}, attempt = attempt - ${refund}, run_cursor = ${Math.max(Number(job.run_cursor), retry.runCursor ?? 0)}`;
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
    return this.#attempt('core.job.end', async (tx) => {
      const set = sql`, ended_at = ${nowMs}, model_version = ${detail.modelVersion}, error = ${detail.error}, slot = NULL, lease_id = NULL, waiting_since = NULL, training_since = NULL`;
      const moved = await this.#move(tx, {
        jobId,
        from: sourcesOf(JOB_LIFECYCLE, end),
        to: end,
        reason: detail.reason,
        nowMs,
        set,
      });
      if (!moved) return false;
      await this.#release(tx, jobId, `the job is ${end}`, nowMs);
      const { breaker } = this.#options;
      await countOutcome(tx, { jobId, end, error: detail.error ?? detail.reason, nowMs }, breaker);
      return true;
    });
  }

  requestCancel(jobId: string, nowMs: number): Promise<JobEvent['state'] | null> {
    return this.#options.db.transaction('core.job.ask_cancel', async (tx) => {
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
    await this.#options.db.transaction('core.job.progress', async (tx) => {
      const changes = await tx.run(sql`
        UPDATE jobs SET epoch = ${progress.epoch}, epochs = ${progress.totalEpochs}, loss = ${progress.loss}, accuracy = ${progress.accuracy}
        WHERE job_id = ${jobId} AND state IN ('training', 'preempting')`);
      if (changes === 1) await this.#tell(tx, jobId, 'progress', nowMs);
    });
  }

  async moveCursor(jobId: string, cursor: number): Promise<void> {
    await this.#options.db.transaction('core.job.cursor', (tx) =>
      tx.run(sql`UPDATE jobs SET run_cursor = ${cursor} WHERE job_id = ${jobId} AND run_cursor < ${cursor}`),
    );
  }

  async explain(reasons: readonly { readonly jobId: string; readonly reason: string }[]): Promise<void> {
    await this.#options.db.transaction('core.job.explain', async (tx) => {
      for (const [reason, told] of Map.groupBy(reasons, (r) => r.reason))
        for (const jobIds of inStatements(told.map((r) => r.jobId)))
          await tx.run(
            sql`UPDATE jobs SET reason = ${reason} WHERE job_id IN (${join(jobIds)}) AND state NOT IN (${join(ENDED_STATES)})`,
          );
    });
  }

  resetBreaker(modelType: ModelType): Promise<boolean> {
    return this.#options.db.transaction('core.breaker.reset', (tx) => forgetBreaker(tx, modelType));
  }

  /** Why a job is where it is. */
  async reasonOf(jobId: string): Promise<string | null> {
    const row = await this.#options.db.get<{ reason: string }>(
      sql`SELECT reason FROM jobs WHERE job_id = ${jobId}`,
    );
    return row?.reason ?? null;
  }

  /** Runs `work`; when it answers false, nothing that it wrote stays. */
  async #attempt(step: Step, work: (tx: Transaction) => Promise<boolean>): Promise<boolean> {
    try {
      return await this.#options.db.transaction(step, async (tx) => {
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

  #tell(tx: Transaction, jobId: string, type: 'state' | 'progress', nowMs: number): Promise<void> {
    return tellJob(tx, this.#options.events, { jobId, type, nowMs });
  }
}

/** Whole groups, and what is left over one by one: two statements to prepare, not one for each length. */
function inStatements(jobIds: readonly string[]): string[][] {
  const grouped = jobIds.length - (jobIds.length % TOLD_TOGETHER);
  const groups = Array.from({ length: grouped / TOLD_TOGETHER }, (_, i) =>
    jobIds.slice(i * TOLD_TOGETHER, (i + 1) * TOLD_TOGETHER),
  );
  return [...groups, ...jobIds.slice(grouped).map((jobId) => [jobId])];
}

class GuardFailed extends Error {}
