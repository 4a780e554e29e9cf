// What a job's stream tells: one numbered sequence over all its attempts, appended in the transaction of what it tells.
import type { TRAINING_STREAM_EVENTS, TrainingStreamEventName } from '@jarvis/contracts';
import { type Clock, isoNow } from '@jarvis/runtime';
import type { EventLog, Transaction } from '@jarvis/store';
import type { z } from 'zod';
import type { RunRow } from '../store/runs.ts';

export function runStream(jobId: string): string {
  return `run/${jobId}`;
}

export type StreamData<N extends TrainingStreamEventName> = z.infer<(typeof TRAINING_STREAM_EVENTS)[N]>;

export class RunStream {
  readonly #events: EventLog;
  readonly #clock: Clock;

  constructor(events: EventLog, clock: Clock) {
    this.#events = events;
    this.#clock = clock;
  }

  async append<N extends TrainingStreamEventName>(
    tx: Transaction,
    name: N,
    data: StreamData<N>,
  ): Promise<void> {
    const stream = runStream(data.job_id);
    await this.#events.append(tx, { stream, type: name, data, at: isoNow(this.#clock) });
  }

  /** A `status` event of a run as it stands. */
  status(tx: Transaction, run: RunRow, totalEpochs: number): Promise<void> {
    return this.append(tx, 'status', {
      job_id: run.job_id,
      status: run.state,
      epoch: run.epoch,
      total_epochs: totalEpochs,
      loss: run.loss,
      accuracy: run.accuracy,
      attempt: run.attempt,
      token: run.token,
      ...(run.cause === null ? {} : { cause: run.cause, peak_ram_bytes: run.peak_ram_bytes }),
    });
  }
}
