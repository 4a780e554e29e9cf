// The events of a job: each tells where the job is, in the transaction that put it there.
import type { JobEvent } from '@jarvis/contracts';
import { isoOf } from '@jarvis/runtime';
import type { EventLog, Transaction } from '@jarvis/store';
import { findJobRow, jobStream } from './jobs.ts';
import { jobOf } from './rows.ts';

export interface Told {
  readonly jobId: string;
  readonly type: 'state' | 'progress';
  readonly nowMs: number;
}

export async function tellJob(
  tx: Transaction,
  events: EventLog,
  { jobId, type, nowMs }: Told,
): Promise<void> {
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
  await events.append(tx, { stream: jobStream(jobId), type, data, at: isoOf(nowMs) });
}
