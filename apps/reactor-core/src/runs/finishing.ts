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
import { countLost, endRun, findRun, type RunKey, type RunRow } from '../store/runs.ts';
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
  async finish(key: RunKey, exit: TrainerExit | null): Promise<void> {
    const { db } = this.#options;
    const [run, job] = await Promise.all([findRun(db, key), findJob(db, key.job_id)]);
    invariant(run !== undefined && job !== undefined, 'a run that ends is stored, with its job');
    const end = decideRunEnd(run, exit);
    if (end.state !== 'completed')
      return db.transaction('reactor.run.end', (tx) => this.#store(tx, run, end));
    const taken = await takeArtifact(
      this.#options.folder.attempt(key).artifact,
      { jobId: job.job_id, modelType: job.model_type, datasetSha256: job.dataset_sha256 },
      this.#options.blobs,
    );
    return db.transaction('reactor.run.complete', async (tx) => {
      const asked = (await findRun(tx, key))?.stop_asked;
      if (asked === 'cancel') return this.#store(tx, run, { state: 'cancelled' });
      if (!taken.ok)
        return this.#store(tx, run, { state: 'failed', code: 'artifact_invalid', error: taken.problem });
      return this.#complete(tx, { run, job, artifact: taken.artifact, metrics: end.metrics });
    });
  }

  async #complete(
    tx: Transaction,
    done: { run: RunRow; job: JobRow; artifact: Artifact; metrics: Record<string, number> },
  ): Promise<void> {
    const { run, job, artifact, metrics } = done;
    const at = isoNow(this.#options.clock);
    if (!(await endRun(tx, run, { state: 'completed', error: null, at }))) return;
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
    });
    if (job.auto_deploy === 1) await this.#options.deploy(tx, job.model_type, version);
  }

  async #store(tx: Transaction, run: RunRow, end: Exclude<RunEnd, { state: 'completed' }>): Promise<void> {
    const { clock, stream } = this.#options;
    const { job_id } = run;
    const at = isoNow(clock);
    const error = 'error' in end ? end.error : null;
    if (!(await endRun(tx, run, { state: end.state, error, at }))) return;
    switch (end.state) {
      case 'cancelled':
        await endJob(tx, job_id, { outcome: 'cancelled', modelVersion: null, error: null, at });
        return stream.append(tx, 'cancelled', { job_id, status: 'cancelled' });
      case 'failed':
        return this.#fail(tx, job_id, { code: end.code, error: end.error });
      case 'preempted': {
        const { attempt, token } = run;
        await this.#resumeLater(tx, job_id, 0);
        return stream.append(tx, 'preempted', {
          job_id,
          status: 'preempted',
          epoch: end.epoch,
          attempt,
          token,
        });
      }
      case 'lost':
        return this.#lose(tx, run, end.error);
    }
  }

  async #fail(tx: Transaction, jobId: string, failure: { code: string; error: string }): Promise<void> {
    const { clock, stream } = this.#options;
    const at = isoNow(clock);
    await endJob(tx, jobId, { outcome: 'failed', modelVersion: null, error: failure.error, at });
    await stream.append(tx, 'failed', { job_id: jobId, status: 'failed', ...failure });
  }

  async #lose(tx: Transaction, run: RunRow, error: string): Promise<void> {
    const { stream, resume } = this.#options;
    const job = await findJob(tx, run.job_id);
    invariant(job !== undefined, 'a run has a job');
    await stream.status(tx, { ...run, state: 'lost' }, job.epochs);
    if (job.owner !== 'self') return;
    const lost = await countLost(tx, run.job_id);
    if (resume.enabled && lost > resume.limit)
      await this.#fail(tx, run.job_id, { code: 'trainer_lost', error: `lost in ${lost} attempts: ${error}` });
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
