// Starts a job's first attempt or its next one:
//   what was asked before? -> data stored -> token and slot, run and event in one transaction -> trainer
// The same request again gets the same answer; nothing is started twice. A token that was refused is refused for ever.
import { rm } from 'node:fs/promises';
import {
  CodedError,
  type ErrorCode,
  invariant,
  isCodedError,
  type TrainingStart,
  type TrainingStarted,
} from '@jarvis/contracts';
import { type Clock, isoNow, type Logger } from '@jarvis/runtime';
import { type Database, Serial, type Transaction } from '@jarvis/store';
import type { Executor } from '../executors/executor.ts';
import { findJob, insertJob, type JobRow, type NewJob, setJobOwner } from '../store/jobs.ts';
import {
  askStop,
  findLastRun,
  findPastRun,
  findRun,
  findRunOfToken,
  highestToken,
  insertRun,
  listUnreturned,
  type RunRow,
  setReturned,
  takeToken,
} from '../store/runs.ts';
import { championOf } from '../store/versions.ts';
import { type DatasetSources, storeDataset } from './dataset.ts';
import type { Launching } from './launching.ts';
import type { LiveRun } from './live-run.ts';
import type { LiveRuns } from './live-runs.ts';
import type { RunFolder } from './run-folder.ts';
import type { RunStream } from './run-stream.ts';
import { SerialByKey } from './serial-by-key.ts';
import type { SlotBroker } from './slot-broker.ts';
import { bodyDigest, estimateSeconds, seedOf, startedAnswer } from './start-request.ts';

const BUSY_RETRY_SECONDS = 5;
/** No refusals: the caller keeps slot and memory and asks again with the same token. */
const ASK_AGAIN: readonly ErrorCode[] = ['service_unavailable', 'internal'];

export interface StartingOptions {
  readonly db: Database;
  readonly stream: RunStream;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly folder: RunFolder;
  readonly executor: Executor;
  readonly live: LiveRuns;
  readonly launching: Launching;
  readonly broker: SlotBroker;
  readonly datasets: DatasetSources;
  readonly slots: number;
  readonly checkpointInterval: number;
  readonly stopGraceMs: number;
}

/** What an attempt runs under. */
interface Grant {
  readonly token: number;
  readonly slot: number;
  readonly leaseId: string | null;
  readonly need: string | null;
  readonly lastAttempt: boolean;
  readonly borrowed: boolean;
}

export class Starting {
  /** Decisions about slots and the starts that follow from them, one after another. */
  readonly slots = new Serial('starts');
  readonly #options: StartingOptions;
  readonly #jobs = new SerialByKey('requests for this job');
  #closed = false;

  constructor(options: StartingOptions) {
    this.#options = options;
  }

  /** Resolves once no start is under way that could still bring a trainer about. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.slots.run(() => Promise.resolve());
  }

  async start(body: TrainingStart): Promise<TrainingStarted> {
    try {
      return await this.#jobs.run(body.job_id, () => this.#startOrSpend(body));
    } catch (error) {
      // Said before its turn came, it says nothing about the requests that are in line.
      throw isCodedError(error, 'overloaded') ? unavailable(error.message, error) : error;
    }
  }

  async #startOrSpend(body: TrainingStart): Promise<TrainingStarted> {
    try {
      return await this.#start(body);
    } catch (error) {
      await this.#spend(body, error);
      throw error;
    }
  }

  /**
   * Who hears a refusal gives slot and memory back, so a copy of the request that comes later must not be taken: the
   * token is spent before the refusal is said. While that cannot be stored none is said.
   */
  async #spend({ fencing_token: token, slot = 0 }: TrainingStart, error: unknown): Promise<void> {
    if (!isCodedError(error) || ASK_AGAIN.includes(error.code)) return;
    // What is stale is spent, and a slot that is not there has no tokens.
    if (token === undefined || error.code === 'stale_token' || slot >= this.#options.slots) return;
    try {
      await this.#options.db.transaction('reactor.token.spend', (tx) => takeToken(tx, slot, token));
    } catch (cause) {
      const why = `${error.message}; this cannot be stored (${(cause as Error).message}): ask again`;
      throw unavailable(why, cause);
    }
  }

  /** The next attempt of a job of our own, with slot and lease that are asked for now. */
  resume(jobId: string): Promise<void> {
    return this.#jobs.run(jobId, async () => {
      const job = await findJob(this.#options.db, jobId);
      if (!this.#closed && job !== undefined && (await this.#mayGoOn(job)))
        await this.#startBorrowing(job, job);
    });
  }

  async #start(body: TrainingStart): Promise<TrainingStarted> {
    const { db, executor } = this.#options;
    this.#refuseWhenClosed();
    if (!executor.supports(body.model_type))
      throw new CodedError(
        'unsupported_model_type',
        `nothing trains ${body.model_type}: set TRAINER_${body.model_type.toUpperCase()}_COMMAND to a command that speaks the trainer protocol`,
        { issues: [{ path: 'body.model_type', message: 'has no trainer' }] },
      );
    const digest = bodyDigest(body);
    const known = await findJob(db, body.job_id);
    if (known !== undefined && known.body_sha256 !== digest)
      throw new CodedError(
        'job_conflict',
        `${body.job_id} was used with another body: choose another job_id`,
      );
    if (known !== undefined && !(await this.#asksForNextAttempt(known, body))) return this.#sameAnswer(known);
    try {
      return await this.#startAttempt(body, digest, known);
    } catch (error) {
      // A job that was refused leaves nothing behind, its data neither.
      if (known === undefined && (await findJob(db, body.job_id)) === undefined)
        await rm(this.#options.folder.job(body.job_id), { recursive: true, force: true });
      throw error;
    }
  }

  async #startAttempt(
    body: TrainingStart,
    digest: string,
    known: JobRow | undefined,
  ): Promise<TrainingStarted> {
    const { db } = this.#options;
    const token = body.fencing_token;
    if (token === undefined) {
      this.#refuseWhenFull();
      return this.#startBorrowing(known ?? (await this.#newJob(body, digest)), known);
    }
    const grant = grantOf(body, token);
    await this.#checkSlot(db, body.job_id, grant);
    return this.#startWith(known ?? (await this.#newJob(body, digest)), known, grant);
  }

  async #startBorrowing(job: NewJob, known: JobRow | undefined): Promise<TrainingStarted> {
    const { broker } = this.#options;
    await this.#giveBackOf(job.job_id);
    const borrowed = await broker.borrow(job.job_id, job.model_type);
    const { slot, token, leaseId } = borrowed;
    try {
      return await this.#startWith(job, known, {
        slot,
        token,
        leaseId,
        need: JSON.stringify(borrowed.need),
        lastAttempt: false,
        borrowed: true,
      });
    } catch (error) {
      await broker.giveBack({ job_id: job.job_id, slot, token, lease_id: leaseId });
      throw error;
    }
  }

  /** To its holder a slot's lock is granted with the token that it has: that of an ended attempt would be stale. */
  async #giveBackOf(jobId: string): Promise<void> {
    const { db, broker } = this.#options;
    for (const run of (await listUnreturned(db)).filter((r) => r.job_id === jobId)) {
      if (!(await broker.giveBack(run)))
        throw new CodedError('service_unavailable', 'JARVIS Core is away: it gives slot and memory', {
          retry_after_seconds: BUSY_RETRY_SECONDS,
        });
      await db.transaction('reactor.run.returned', (tx) => setReturned(tx, run));
    }
  }

  #startWith(job: NewJob, known: JobRow | undefined, grant: Grant): Promise<TrainingStarted> {
    const { db, launching } = this.#options;
    return this.slots.run(async () => {
      this.#refuseWhenClosed();
      const run = await db.transaction('reactor.run.accept', async (tx) => {
        // While slot and memory were waited for it may have been cancelled: a job ends once (I4).
        const outcome = (await findJob(tx, job.job_id))?.outcome ?? null;
        if (outcome !== null)
          throw new CodedError('already_ended', `${job.job_id} has ended meanwhile: it is ${outcome}`);
        await this.#checkSlot(tx, job.job_id, grant);
        return this.#accept(tx, job, known, grant);
      });
      const stored = await findJob(db, job.job_id);
      invariant(stored !== undefined, 'an accepted job is stored');
      await launching.launch(stored, run);
      return startedAnswer(stored, run.attempt);
    });
  }

  async #accept(tx: Transaction, job: NewJob, known: JobRow | undefined, grant: Grant): Promise<RunRow> {
    const { stream, clock } = this.#options;
    const last = await findLastRun(tx, job.job_id);
    const key = { job_id: job.job_id, attempt: (last?.attempt ?? 0) + 1 };
    if (known === undefined) await insertJob(tx, job);
    await setJobOwner(tx, job.job_id, grant.borrowed ? 'self' : 'jarvis-core');
    await takeToken(tx, grant.slot, grant.token);
    await insertRun(tx, {
      ...key,
      token: grant.token,
      trainer_token: Math.max(grant.token, (last?.trainer_token ?? 0) + 1),
      slot: grant.slot,
      lease_id: grant.leaseId,
      need: grant.need,
      last_attempt: grant.lastAttempt ? 1 : 0,
      borrowed: grant.borrowed ? 1 : 0,
      created_at: isoNow(clock),
    });
    const run = await findRun(tx, key);
    invariant(run !== undefined, 'what was inserted is there');
    await stream.status(tx, run, job.epochs);
    return run;
  }

  /** A known job goes on when its last attempt is over without a result and this request has the right to a slot. */
  async #asksForNextAttempt(known: JobRow, body: TrainingStart): Promise<boolean> {
    const last = await findLastRun(this.#options.db, known.job_id);
    if (known.outcome !== null || last === undefined) return false;
    const { fencing_token: token, slot = 0 } = body;
    if (token === undefined) return known.owner === 'self' && (await this.#mayGoOn(known));
    // With a token that none of its attempts had, it is no request that was answered before.
    return (await findRunOfToken(this.#options.db, known.job_id, { slot, token })) === undefined;
  }

  async #mayGoOn(job: JobRow): Promise<boolean> {
    const last = await findLastRun(this.#options.db, job.job_id);
    return job.outcome === null && (last?.state === 'lost' || last?.state === 'preempted');
  }

  async #sameAnswer(job: JobRow): Promise<TrainingStarted> {
    const last = await findLastRun(this.#options.db, job.job_id);
    return startedAnswer(job, last?.attempt ?? 1);
  }

  /** I1: no token that is not the highest, and nothing new before the exit of the old trainer is confirmed. */
  async #checkSlot(reader: Database | Transaction, jobId: string, grant: Grant): Promise<void> {
    const { live, slots } = this.#options;
    if (grant.slot >= slots)
      throw new CodedError(
        'invalid_request',
        `there is no slot ${grant.slot} (MAX_CONCURRENT_TRAINING_JOBS is ${slots})`,
        { issues: [{ path: 'body.slot', message: `has to be below ${slots}` }] },
      );
    const highest = await highestToken(reader, grant.slot);
    if (grant.token <= highest)
      throw new CodedError(
        'stale_token',
        `token ${grant.token} of slot ${grant.slot} is not above ${highest}, which was seen before`,
      );
    const old = live.ofSlot(grant.slot) ?? live.ofJob(jobId);
    if (old !== undefined) {
      void this.#makeWay(old);
      throw busy(old.run.job_id);
    }
    this.#refuseWhenFull();
  }

  #refuseWhenClosed(): void {
    if (this.#closed) throw unavailable('Reactor Core is stopping');
  }

  #refuseWhenFull(): void {
    const all = this.#options.live.all();
    if (all.length >= this.#options.slots) throw busy(all[0]?.run.job_id);
  }

  /** The old trainer's slot was given to somebody else: it checkpoints and goes. */
  async #makeWay(old: LiveRun): Promise<void> {
    const { db, logger, stopGraceMs } = this.#options;
    try {
      await db.transaction('reactor.run.ask_stop', (tx) => askStop(tx, old.run, 'preempt'));
      await old.stop(stopGraceMs);
    } catch (error) {
      logger.error({ job_id: old.run.job_id, err: error }, 'a trainer could not be asked to make way');
    }
  }

  async #newJob(body: TrainingStart, digest: string): Promise<NewJob> {
    const { db, folder, datasets, clock, checkpointInterval } = this.#options;
    const { sha256, rows } = await storeDataset(body, folder.dataset(body.job_id), datasets);
    const past = await findPastRun(db, body.model_type);
    return {
      job_id: body.job_id,
      model_type: body.model_type,
      body_sha256: digest,
      owner: body.fencing_token === undefined ? 'self' : 'jarvis-core',
      epochs: body.epochs,
      config: JSON.stringify(body.config),
      checkpoint_enabled: body.checkpoint_enabled ? 1 : 0,
      checkpoint_interval: body.checkpoint_interval ?? checkpointInterval,
      auto_deploy: body.auto_deploy ? 1 : 0,
      parent_version: await championOf(db, body.model_type),
      seed: seedOf(body.job_id),
      dataset_sha256: sha256,
      dataset_rows: rows,
      estimated_seconds: estimateSeconds(body.model_type, rows * body.epochs, past),
      created_at: isoNow(clock),
    };
  }
}

function grantOf(body: TrainingStart, token: number): Grant {
  return {
    token,
    slot: body.slot ?? 0,
    leaseId: body.lease_id ?? null,
    need: body.need === undefined ? null : JSON.stringify(body.need),
    lastAttempt: body.last_attempt,
    borrowed: false,
  };
}

function unavailable(why: string, cause?: unknown): CodedError {
  return new CodedError(
    'service_unavailable',
    why,
    { retry_after_seconds: BUSY_RETRY_SECONDS },
    cause === undefined ? {} : { cause },
  );
}

function busy(activeJobId: string | undefined): CodedError {
  return new CodedError('slot_busy', `no training slot is free (${activeJobId ?? 'another job'} trains)`, {
    retry_after_seconds: BUSY_RETRY_SECONDS,
    ...(activeJobId === undefined ? {} : { active_job_id: activeJobId }),
  });
}
