// The trainers that live now: who holds which slot, their heartbeat, their renewals.
import { utimes, writeFile } from 'node:fs/promises';
import type { Clock, Logger } from '@jarvis/runtime';
import type { RunKey } from '../store/runs.ts';
import type { LiveRun } from './live-run.ts';
import type { RunFolder } from './run-folder.ts';

export class LiveRuns {
  readonly #runs = new Map<string, LiveRun>();
  readonly #folder: RunFolder;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #onEnd: () => void;

  /** `onEnd`: a run has ended, and its slot may have to go back. */
  constructor(options: { folder: RunFolder; clock: Clock; logger: Logger; onEnd: () => void }) {
    this.#onEnd = options.onEnd;
    this.#folder = options.folder;
    this.#clock = options.clock;
    this.#logger = options.logger;
  }

  add(live: LiveRun): void {
    const { job_id } = live.run;
    this.#runs.set(job_id, live);
    // A trainer that has gone and whose run has ended makes room; nothing else does.
    void live.ended.then(() => {
      if (this.#runs.get(job_id) === live) this.#runs.delete(job_id);
      this.#onEnd();
    });
  }

  /** Stops following all of them; the trainers go on, and are adopted at the next start. */
  async leaveAll(): Promise<void> {
    await Promise.all(this.all().map((live) => live.leave()));
  }

  ofJob(jobId: string): LiveRun | undefined {
    return this.#runs.get(jobId);
  }

  ofSlot(slot: number): LiveRun | undefined {
    return this.all().find((live) => live.run.slot === slot);
  }

  all(): LiveRun[] {
    return [...this.#runs.values()];
  }

  /** Tells the trainers that somebody is here: without it they checkpoint and exit after their orphan grace. */
  async beat(): Promise<void> {
    await Promise.all(this.all().map((live) => this.#touch(live.run)));
  }

  async #touch(key: RunKey): Promise<void> {
    const { heartbeat } = this.#folder.attempt(key);
    const now = this.#clock.now() / 1000;
    try {
      await utimes(heartbeat, now, now).catch(() => writeFile(heartbeat, ''));
    } catch (error) {
      this.#logger.warn({ ...key, err: error }, 'the heartbeat of a trainer could not be written');
    }
  }
}
