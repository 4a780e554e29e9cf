// Ends runs because somebody asks: cancel (the job is over), preempt (it goes on later), or stop all of them.
import { CodedError } from '@jarvis/contracts';
import { type Clock, isoNow } from '@jarvis/runtime';
import type { Database } from '@jarvis/store';
import { endJob, findJob, type JobRow } from '../store/jobs.ts';
import { askStop, findLastRun, type StopReason } from '../store/runs.ts';
import type { LiveRun } from './live-run.ts';
import type { LiveRuns } from './live-runs.ts';
import type { RunStream } from './run-stream.ts';
import type { Starting } from './starting.ts';

/** What is cancelled is thrown away: a checkpoint that takes longer is not worth waiting for. */
const CANCEL_GRACE_MS_MAX = 10_000;
/** After the exit the events are read and the run is ended; longer only when the disk is full. */
const END_WAIT_MS = 5_000;

export interface StoppingOptions {
  readonly db: Database;
  readonly stream: RunStream;
  readonly clock: Clock;
  readonly live: LiveRuns;
  /** Its line of starts is shared, so that no run is missed while it starts. */
  readonly starting: Starting;
  readonly stopGraceMs: number;
}

export class Stopping {
  readonly #options: StoppingOptions;

  constructor(options: StoppingOptions) {
    this.#options = options;
  }

  /** Answers once the trainer's exit is confirmed. Repeating it does nothing. Throws `not_found`, `already_ended`. */
  async cancel(jobId: string): Promise<string> {
    const { starting, stopGraceMs } = this.#options;
    const live = await starting.slots.run(() => this.#askOrEnd(jobId));
    if (live === null) return 'the job is cancelled';
    const confirmed = await this.#stop(live, Math.min(stopGraceMs, CANCEL_GRACE_MS_MAX));
    const after = await this.#mustFind(jobId);
    if (after.outcome !== null && after.outcome !== 'cancelled') throw alreadyEnded(after);
    return confirmed
      ? 'the trainer has exited and the job is cancelled'
      : 'the trainer was killed; its exit is not confirmed yet, and its slot stays taken until then';
  }

  /** The trainer checkpoints and exits; a higher token goes on from there. Throws `not_found`, `already_ended`. */
  async preempt(jobId: string): Promise<string> {
    const { starting, stopGraceMs } = this.#options;
    const live = await starting.slots.run(async () => {
      const job = await this.#mustFind(jobId);
      if (job.outcome !== null) throw alreadyEnded(job);
      return this.#ask(jobId, 'preempt');
    });
    if (live === null) return 'no trainer of this job runs';
    const confirmed = await this.#stop(live, stopGraceMs);
    return confirmed ? 'the trainer has exited' : 'the trainer was killed; its exit is not confirmed yet';
  }

  /** Nothing is started any more: neither what somebody asks for, nor what would be resumed by itself. */
  close(): Promise<void> {
    return this.#options.starting.close();
  }

  /** Asks every trainer to checkpoint and exit, and waits for it; none is started any more. */
  async stopAll(): Promise<void> {
    const { live, starting, stopGraceMs } = this.#options;
    await this.close();
    await Promise.all(
      live.all().map(async ({ run: { job_id } }) => {
        const running = await starting.slots.run(() => this.#ask(job_id, 'preempt'));
        if (running !== null) await this.#stop(running, stopGraceMs);
      }),
    );
  }

  /** Without a live attempt the job ends here; with one, when that has ended. */
  async #askOrEnd(jobId: string): Promise<LiveRun | null> {
    const { db, stream, clock } = this.#options;
    const job = await this.#mustFind(jobId);
    if (job.outcome === 'cancelled') return null;
    if (job.outcome !== null) throw alreadyEnded(job);
    const live = await this.#ask(jobId, 'cancel');
    if (live !== null) return live;
    await db.transaction('reactor.job.end', async (tx) => {
      const end = { outcome: 'cancelled', modelVersion: null, error: null, at: isoNow(clock) } as const;
      if (!(await endJob(tx, jobId, end))) return;
      const peak_ram_bytes = (await findLastRun(tx, jobId))?.peak_ram_bytes ?? null;
      await stream.append(tx, 'cancelled', { job_id: jobId, status: 'cancelled', peak_ram_bytes });
    });
    return null;
  }

  async #ask(jobId: string, why: StopReason): Promise<LiveRun | null> {
    const live = this.#options.live.ofJob(jobId);
    if (live === undefined) return null;
    await this.#options.db.transaction('reactor.run.ask_stop', (tx) => askStop(tx, live.run, why));
    return live;
  }

  async #stop(live: LiveRun, graceMs: number): Promise<boolean> {
    const confirmed = await live.stop(graceMs);
    if (confirmed) await Promise.race([live.ended, this.#options.clock.sleep(END_WAIT_MS)]);
    return confirmed;
  }

  async #mustFind(jobId: string): Promise<JobRow> {
    const job = await findJob(this.#options.db, jobId);
    if (job === undefined) throw new CodedError('not_found', `there is no job ${jobId}`);
    return job;
  }
}

function alreadyEnded(job: JobRow): CodedError {
  return new CodedError('already_ended', `${job.job_id} has ended already: it is ${job.outcome}`);
}
