// The body with which a run is started at Reactor Core; the data set is frozen when a job first starts, and kept.
import { CodedError, type TrainingStartInput } from '@jarvis/contracts';
import type { StoredJob } from '@jarvis/coordinator';
import type { Random } from '@jarvis/runtime';
import type { Database } from '@jarvis/store';
import { freezeDataset } from '../experiences/dataset.ts';
import { findStartDetails, setDataset } from '../store/jobs.ts';

export interface StartRequestOptions {
  readonly db: Database;
  readonly random: Random;
  readonly datasets: string;
  /** This service's own address, from which Reactor Core fetches the data. */
  readonly ownUrl: () => string;
  readonly gatePercent: number;
  readonly checkpointInterval: number;
  readonly retryLimit: number;
}

export class StartRequests {
  readonly #options: StartRequestOptions;

  constructor(options: StartRequestOptions) {
    this.#options = options;
  }

  /** Throws `dataset_empty` when there is nothing to learn from. */
  async make(job: StoredJob): Promise<TrainingStartInput> {
    const { db, ownUrl, checkpointInterval, retryLimit } = this.#options;
    const details = await findStartDetails(db, job.jobId);
    if (details === undefined) throw new CodedError('not_found', `there is no job ${job.jobId}`);
    const dataset = details.dataset ?? (await this.#freeze(job));
    return {
      job_id: job.jobId,
      model_type: job.modelType,
      dataset: {
        url: `${ownUrl()}/api/datasets/${dataset.sha256}`,
        sha256: dataset.sha256,
        rows: dataset.rows,
      },
      config: details.config,
      epochs: details.job.total_epochs,
      checkpoint_enabled: true,
      checkpoint_interval: checkpointInterval,
      auto_deploy: details.autoDeploy,
      last_attempt: job.attempt > retryLimit,
      need: job.need,
      ...(job.token === null ? {} : { fencing_token: job.token }),
      ...(job.slot === null ? {} : { slot: job.slot }),
      ...(job.leaseId === null ? {} : { lease_id: job.leaseId }),
    };
  }

  async #freeze(job: StoredJob): Promise<{ sha256: string; rows: number }> {
    const { db, datasets, gatePercent, random } = this.#options;
    const frozen = await freezeDataset({
      db,
      folder: datasets,
      modelType: job.modelType,
      gatePercent,
      random,
    });
    await db.transaction('core.job.dataset', (tx) => setDataset(tx, job.jobId, frozen));
    return frozen;
  }
}
