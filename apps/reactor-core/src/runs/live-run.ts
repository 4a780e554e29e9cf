// One live trainer and everything that is done about it, in one line of work: take in its events as they come, stop it
// when it hangs or floods, hear of its exit, take in the rest, end the run.
//
//   events.ndjson --> tail --> one transaction a batch      exit confirmed --> rest of the events --> finish
import { type FSWatcher, watch } from 'node:fs';
import type { Clock, Logger } from '@jarvis/runtime';
import type { TrainerExit, TrainerProcess } from '../executors/executor.ts';
import type { RunRow } from '../store/runs.ts';
import type { EventTail } from './event-tail.ts';
import type { Misbehaviour, Misdeed } from './misbehaviour.ts';
import type { TrainerEvents } from './trainer-events.ts';

/** The file system tells of most changes at once; this is for those that it doesn't tell of. */
const POLL_MS = 150;
/** A trainer that has said its last word only has to exit. */
const LAST_WORD_GRACE_MS = 5_000;
const FINISH_RETRY_MS = 1_000;
/** Between so many batches everybody else has a turn, however much a trainer writes. */
const BATCHES_AT_ONCE_MAX = 4;
const BREATHER_MS = 20;

export interface LiveRunOptions {
  readonly run: RunRow;
  readonly process: TrainerProcess;
  readonly folder: string;
  readonly tail: EventTail;
  readonly events: TrainerEvents;
  readonly misbehaviour: Misbehaviour;
  /** Stores what the trainer is stopped for; how its run ends follows from it. */
  readonly note: (misdeed: Misdeed) => Promise<void>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Ends the run in the store. */
  readonly finish: (exit: TrainerExit | null) => Promise<void>;
}

export class LiveRun {
  readonly run: RunRow;
  readonly process: TrainerProcess;
  /** Settles when the run has ended in the store, or was left to itself. */
  readonly ended: Promise<void>;
  readonly #options: LiveRunOptions;
  readonly #left = new AbortController();
  readonly #gone = new AbortController();
  #wake = new AbortController();
  #stopping: Promise<boolean> | undefined;
  #halting = false;
  #exitExpected = false;

  constructor(options: LiveRunOptions) {
    this.run = options.run;
    this.process = options.process;
    this.#options = options;
    this.ended = this.#live();
  }

  /** Asks the trainer to checkpoint and exit, kills it after the grace; true when its exit is confirmed. */
  stop(graceMs: number): Promise<boolean> {
    this.#stopping ??= this.process.stop(graceMs).finally(() => (this.#stopping = undefined));
    return this.#stopping;
  }

  /** Stops it for what it did, unless it is being stopped already. */
  readonly halt = (misdeed: Misdeed): void => {
    if (this.#stopping === undefined && !this.#halting && !this.#isOver()) void this.#halt(misdeed);
  };

  /** Stops following; the trainer goes on, and is adopted at the next start. */
  async leave(): Promise<void> {
    this.#left.abort();
    this.#wake.abort();
    this.process.leave();
    await this.ended;
  }

  async #live(): Promise<void> {
    let exit: TrainerExit | null = null;
    void this.process.exited.then((e) => {
      exit = e;
      this.#gone.abort();
      this.#wake.abort();
    });
    const watcher = this.#watch();
    try {
      await this.#follow();
    } finally {
      watcher?.close();
    }
    while (!this.#left.signal.aborted && !(await this.#finish(exit)))
      await this.#options.clock.sleep(FINISH_RETRY_MS, this.#left.signal);
  }

  async #follow(): Promise<void> {
    while (!this.#isOver()) {
      this.#wake = new AbortController();
      await this.#takeIn();
      this.#judge();
      if (!this.#isOver()) await this.#options.clock.sleep(POLL_MS, this.#wake.signal);
    }
  }

  #judge(): void {
    const { misbehaviour, tail, clock } = this.#options;
    const misdeed = misbehaviour.look(tail, clock.monotonic());
    if (misdeed !== null) this.halt(misdeed);
  }

  async #halt(misdeed: Misdeed): Promise<void> {
    const { note, clock, logger } = this.#options;
    const { job_id } = this.run;
    this.#halting = true;
    try {
      logger.warn({ job_id, pid: this.process.pid }, misdeed.words);
      await note(misdeed);
      await this.stop(misdeed.graceMs);
    } catch (error) {
      logger.error({ job_id, err: error }, 'a trainer could not be stopped; trying again');
      await clock.sleep(FINISH_RETRY_MS, this.#left.signal);
    } finally {
      this.#halting = false;
    }
  }

  #isOver(): boolean {
    return this.#gone.signal.aborted || this.#left.signal.aborted;
  }

  /** All complete lines that are there now. An error (a full disk, say) leaves them for the next time. */
  async #takeIn(): Promise<boolean> {
    const { tail, events, misbehaviour, clock, logger } = this.#options;
    let batches = 0;
    try {
      for (let batch = await tail.next(); batch !== null; batch = await tail.next()) {
        const lastWord = await events.apply(batch, misbehaviour.longestPauseMs);
        tail.accept(batch);
        if (lastWord && !this.#gone.signal.aborted) void this.#expectExit();
        if (++batches % BATCHES_AT_ONCE_MAX === 0) await clock.sleep(BREATHER_MS, this.#left.signal);
      }
      await events.tellOwed();
      return true;
    } catch (error) {
      if (!this.#left.signal.aborted)
        logger.error({ job_id: this.run.job_id, err: error }, 'events of a trainer could not be taken in');
      return false;
    }
  }

  async #expectExit(): Promise<void> {
    if (this.#exitExpected) return;
    this.#exitExpected = true;
    const { clock, logger } = this.#options;
    const over = AbortSignal.any([this.#gone.signal, this.#left.signal]);
    await clock.sleep(LAST_WORD_GRACE_MS, over);
    if (over.aborted) return;
    logger.warn({ job_id: this.run.job_id }, 'the trainer said its last word but does not exit: stopping it');
    await this.stop(LAST_WORD_GRACE_MS);
  }

  async #finish(exit: TrainerExit | null): Promise<boolean> {
    try {
      if (!(await this.#takeIn())) return false;
      await this.#options.tail.cut();
      await this.#options.finish(exit);
      return true;
    } catch (error) {
      if (!this.#left.signal.aborted)
        this.#options.logger.error(
          { job_id: this.run.job_id, err: error },
          'a run could not be ended; trying again',
        );
      return false;
    }
  }

  #watch(): FSWatcher | null {
    try {
      const watcher = watch(this.#options.folder, { persistent: false }, () => this.#wake.abort());
      watcher.on('error', () => watcher.close());
      return watcher;
    } catch {
      return null; // No watches are left on this machine: the poll finds it.
    }
  }
}
