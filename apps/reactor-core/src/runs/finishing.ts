// Ends a run in the store: the artifact goes into the registry first; then version, run, job, event and, if asked for,
// the deployment are one transaction.
import type { ModelType } from '@jarvis/contracts';
import { invariant } from '@jarvis/contracts';
import { backoffMs } from '@jarvis/policy';
import { type Clock, isoNow, type Random } from '@jarvis/runtime';
import type { Database, Transaction } from '@jarvis/store';
import type { TrainerExit } from '../executors/executor.ts';
import type { Blobs } from '../registry/blobs.ts';
import { type Artifact, takeArtifact } from '../registry/intake.ts';
import { mintVersion } from '../registry/minting.ts';
import { endJob, findJob, type JobRow, setResumeAt } from '../store/jobs.ts';
import { raisePeak } from '../store/run-memory.ts';
import { countLost, endRun, findRun, type RunKey, type RunRow } from '../store/runs.ts';
import type { RunMemory } from './memory-watch.ts';
import { decideRunEnd, type RunEnd } from './run-end.ts';
import type { RunFolder } from './run-folder.ts';
import type { RunStream } from './run-stream.ts';

const RESUME_DELAY_MAX_MS = 600_000;

export interface FinishingOptions {
  readonly db: Database;
  readonly stream: RunStream;
  readonly clock: Clock;
  readonly random: Random;
  readonly folder: RunFolder;
  readonly blobs: Blobs;
  readonly resume: { readonly enabled: boolean; readonly limit: number; readonly delayMs: number };
  /** Puts a new version on its way to the users, in the transaction that names it. */
  readonly deploy: (tx: Transaction, modelType: ModelType, version: string) => Promise<void>;
}

export class Finishing {
  readonly #options: FinishingOptions;

  constructor(options: FinishingOptions) {
    this.#options = options;
  }

  /** Call it when the process is gone and all its events are in. Repeating it does nothing. */
  async finish(key: RunKey, exit: TrainerExit | null, memory: RunMemory): Promise<void> {
    const { db } = this.#options;
    const [stored, job] = await Promise.all([findRun(db, key), findJob(db, key.job_id)]);
    invariant(stored !== undefined && job !== undefined, 'a run that ends is stored, with its job');
    const run = { ...stored, peak_ram_bytes: memory.peakBytes ?? stored.peak_ram_bytes };
    const end = decideRunEnd(run, exit, memory.outOfMemory);
    if (end.state !== 'completed')
      return db.transaction('reactor.run.end', (tx) => this.#store(tx, run, end));
    return this.#options.blobs.using(() => this.#take(run, job, end.metrics));
  }

  /** Nothing of the artifact is removed from when its first file is stored until its version names it. */
  async #take(run: RunRow, job: JobRow, metrics: Record<string, number>): Promise<void> {
    const { db, blobs, folder } = this.#options;
    const taken = await takeArtifact(
      folder.attempt(run).artifact,
      { jobId: job.job_id, modelType: job.model_type, datasetSha256: job.dataset_sha256 },
      { db, blobs },
    );
    return db.transaction('reactor.run.complete', async (tx) => {
      const asked = (await findRun(tx, run))?.stop_asked;
      if (asked === 'cancel') return this.#store(tx, run, { state: 'cancelled' });
      if (!taken.ok)
        return this.#store(tx, run, { state: 'failed', code: 'artifact_invalid', error: taken.problem });
      return this.#complete(tx, { run, job, artifact: taken.artifact, metrics });
    });
  }

  async #complete(
    tx: Transaction,
    done: { run: RunRow; job: JobRow; artifact: Artifact; metrics: Record<string, number> },
  ): Promise<void> {
    const { run, job, artifact, metrics } = done;
    const at = isoNow(this.#options.clock);
    if (!(await this.#end(tx, run, { state: 'completed', error: null, at }))) return;
    const version = await mintVersion(tx, {
      modelType: job.model_type,
      jobId: job.job_id,
      parentVersion: job.parent_version,
      artifact,
      at,
    });
    await endJob(tx, job.job_id, { outcome: 'completed', modelVersion: version, error: null, at });
    await this.#options.stream.append(tx, 'completed', {
      job_id: job.job_id,
      status: 'completed',
      model_version: version,
      metrics,
      attempt: run.attempt,
      peak_ram_bytes: run.peak_ram_bytes,
    });
    if (job.auto_deploy === 1) await this.#options.deploy(tx, job.model_type, version);
  }

  async #store(tx: Transaction, run: RunRow, end: Exclude<RunEnd, { state: 'completed' }>): Promise<void> {
    const { clock, stream } = this.#options;
    const { job_id, peak_ram_bytes } = run;
    const at = isoNow(clock);
    const error = 'error' in end ? end.error : null;
    const cause = 'cause' in end ? end.cause : null;
    if (!(await this.#end(tx, run, { state: end.state, error, cause, at }))) return;
    switch (end.state) {
      case 'cancelled':
        await endJob(tx, job_id, { outcome: 'cancelled', modelVersion: null, error: null, at });
        return stream.append(tx, 'cancelled', { job_id, status: 'cancelled', peak_ram_bytes });
      case 'failed':
        return this.#fail(tx, run, { code: end.code, error: end.error });
      case 'preempted': {
        const { attempt, token } = run;
        const { epoch, cause } = end;
        const data = { job_id, status: 'preempted', epoch, attempt, token, peak_ram_bytes, cause } as const;
        await stream.append(tx, 'preempted', data);
        // Nobody's wish: a job that takes too much again and again must use its retries up.
        return cause === 'memory_pressure'
          ? this.#retry(tx, run, run.stop_why ?? 'the trainer took too much memory')
          : this.#resumeLater(tx, job_id, 0);
      }
      case 'lost': {
        const job = await findJob(tx, job_id);
        invariant(job !== undefined, 'a run has a job');
        await stream.status(tx, { ...run, state: 'lost', cause: end.cause }, job.epochs);
        return this.#retry(tx, run, end.error);
      }
    }
  }

  async #end(tx: Transaction, run: RunRow, end: Parameters<typeof endRun>[2]): Promise<boolean> {
    if (!(await endRun(tx, run, end))) return false;
    if (run.peak_ram_bytes !== null) await raisePeak(tx, run, run.peak_ram_bytes);
    return true;
  }

  async #fail(tx: Transaction, run: RunRow, failure: { code: string; error: string }): Promise<void> {
    const { clock, stream } = this.#options;
    const { job_id, peak_ram_bytes } = run;
    const at = isoNow(clock);
    await endJob(tx, job_id, { outcome: 'failed', modelVersion: null, error: failure.error, at });
    await stream.append(tx, 'failed', { job_id, status: 'failed', ...failure, peak_ram_bytes });
  }

  /** A job of our own goes on until its retries are used up. */
  async #retry(tx: Transaction, run: RunRow, error: string): Promise<void> {
    const { resume } = this.#options;
    const job = await findJob(tx, run.job_id);
    if (job?.owner !== 'self') return;
    const lost = await countLost(tx, run.job_id);
    if (resume.enabled && lost > resume.limit)
      await this.#fail(tx, run, { code: 'trainer_lost', error: `lost in ${lost} attempts: ${error}` });
    else await this.#resumeLater(tx, run.job_id, lost);
  }

  /** A job of our own is resumed by ourselves; one of JARVIS Core's when JARVIS Core sends a higher token. */
  async #resumeLater(tx: Transaction, jobId: string, lost: number): Promise<void> {
    const { resume, clock, random } = this.#options;
    const job = await findJob(tx, jobId);
    if (job?.owner !== 'self' || !resume.enabled) return;
    const waitMs =
      lost === 0
        ? resume.delayMs
        : backoffMs({
            attempt: lost - 1,
            baseMs: resume.delayMs,
            maxMs: RESUME_DELAY_MAX_MS,
            unit: random.unit(),
          });
    await setResumeAt(tx, jobId, clock.now() + waitMs);
  }
}
