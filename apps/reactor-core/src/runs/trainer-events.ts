// Takes in what a trainer wrote: each batch of lines in one transaction with the place up to which the file was read,
// so that after a restart no event is lost and none counts twice. Of progress that comes faster than anybody reads, the
// latest is told; what a run is at is always stored.
import { invariant, type TrainerEvent, trainerEventSchema } from '@jarvis/contracts';
import { beginTelling, type Telling, tellProgress } from '@jarvis/policy';
import { type Clock, isoNow, type Logger } from '@jarvis/runtime';
import type { Database, Transaction } from '@jarvis/store';
import {
  findRun,
  moveOffset,
  moveRun,
  type RunKey,
  type RunRow,
  setCheckpoint,
  setLastWord,
  setProgress,
  setStarted,
  setTold,
} from '../store/runs.ts';
import type { TailBatch } from './event-tail.ts';
import { lastWordOf } from './last-word.ts';
import { latestOf } from './latest-events.ts';
import type { RunStream } from './run-stream.ts';

export interface TrainerEventsOptions {
  readonly db: Database;
  readonly stream: RunStream;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly run: RunKey;
  readonly trainerToken: number;
  readonly totalEpochs: number;
  /** Progress of this attempt that was told before. */
  readonly told: number;
}

/** The reader of one run's events; `apply` is called by one caller, in order. */
export class TrainerEvents {
  readonly #options: TrainerEventsOptions;
  #complained = false;
  #telling: Telling;
  /** Whether the stream is behind what the run is at. */
  #owesProgress = false;

  constructor(options: TrainerEventsOptions) {
    this.#options = options;
    this.#telling = beginTelling(options.clock.monotonic(), options.told);
  }

  /** True when the trainer has said its last word in this batch. */
  async apply(batch: TailBatch, longestPauseMs: number): Promise<boolean> {
    const { db, run, clock } = this.#options;
    const parsed = batch.lines.map((line) => this.#parse(line));
    const events = parsed.filter((event) => event !== null);
    const badLines = batch.tooLong + parsed.length - events.length;
    if (badLines > 0) this.#complain(badLines);
    const wanted = events.filter((event) => event.type === 'progress').length;
    const { telling, count } = tellProgress(this.#telling, { nowMs: clock.monotonic(), wanted });
    const kept = count === wanted ? events : latestOf(events);
    const { from, to } = batch;
    await db.transaction('reactor.run.events', async (tx) => {
      if (!(await moveOffset(tx, run, { from, to, badLines, longestPauseMs }))) return;
      for (const event of kept) await this.#take(tx, event, count > 0);
      if (count > 0) await setTold(tx, run, telling.told);
    });
    this.#telling = telling;
    if (wanted > 0) this.#owesProgress = count === 0;
    return events.some((event) => lastWordOf(event) !== null);
  }

  /** Tells where the run is, when that was held back and may be told now. */
  async tellOwed(): Promise<void> {
    if (!this.#owesProgress) return;
    const { db, run, clock, stream, totalEpochs } = this.#options;
    const { telling, count } = tellProgress(this.#telling, { nowMs: clock.monotonic(), wanted: 1 });
    if (count === 0) return;
    await db.transaction('reactor.run.status', async (tx) => {
      await stream.status(tx, await this.#row(tx), totalEpochs);
      await setTold(tx, run, telling.told);
    });
    this.#telling = telling;
    this.#owesProgress = false;
  }

  #parse(line: string): TrainerEvent | null {
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      return null;
    }
    const event = trainerEventSchema.safeParse(value);
    return event.success && event.data.token === this.#options.trainerToken ? event.data : null;
  }

  /** Once for each run: a trainer that babbles does so a thousand times a second. The count is in the database. */
  #complain(badLines: number): void {
    if (this.#complained) return;
    this.#complained = true;
    this.#options.logger.warn(
      { ...this.#options.run, lines: badLines },
      'the trainer wrote lines that are no events of this run; they are left out (not logged again)',
    );
  }

  async #take(tx: Transaction, event: TrainerEvent, tells: boolean): Promise<void> {
    const { run, stream, clock, totalEpochs } = this.#options;
    if (await moveRun(tx, run, 'running'))
      await setStarted(tx, run, { resumedFromEpoch: 0, at: isoNow(clock) });
    switch (event.type) {
      case 'started':
        await setStarted(tx, run, { resumedFromEpoch: event.resumed_from_epoch, at: isoNow(clock) });
        return stream.status(tx, await this.#row(tx), totalEpochs);
      case 'progress': {
        const { epoch, loss, accuracy, metrics = {} } = event;
        await setProgress(tx, run, { epoch, loss, accuracy, metrics });
        return tells ? stream.status(tx, await this.#row(tx), totalEpochs) : undefined;
      }
      case 'checkpoint': {
        const { epoch, path, metrics } = event;
        await setCheckpoint(tx, run, epoch);
        return stream.append(tx, 'checkpoint', { job_id: run.job_id, epoch, checkpoint_path: path, metrics });
      }
      case 'completed':
      case 'preempted':
      case 'failed': {
        const word = lastWordOf(event);
        if (word !== null) await setLastWord(tx, run, word);
      }
    }
  }

  async #row(tx: Transaction): Promise<RunRow> {
    const row = await findRun(tx, this.#options.run);
    invariant(row !== undefined, 'a run whose events are read exists');
    return row;
  }
}
