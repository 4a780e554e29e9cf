// A trainer: a process of its own, which does not notice when Reactor Core dies. It claims its folder before it takes
// any memory, writes what it has to say into a file, and leaves on SIGTERM with a checkpoint, or when nobody has been
// there for its orphan grace.
import type { Chance } from '../kernel/chance.ts';
import type { EventLoop } from '../kernel/event-loop.ts';
import type { Journal } from '../kernel/journal.ts';
import { SimProcess } from '../kernel/process.ts';
import type { Machine } from '../outside/machine.ts';

export type TrainerLine =
  | { readonly type: 'started' }
  | { readonly type: 'progress'; readonly epoch: number }
  | { readonly type: 'checkpoint'; readonly epoch: number }
  | { readonly type: 'completed' }
  | { readonly type: 'preempted'; readonly epoch: number }
  | { readonly type: 'failed'; readonly retryable: boolean };

/** One line of events.ndjson, and who really wrote it. */
export interface WrittenLine {
  readonly token: number;
  readonly pid: number;
  readonly line: TrainerLine;
}

/** The folder of one attempt: on disk, shared by trainer and Reactor Core, whoever of them lives. */
export interface RunFolder {
  readonly jobId: string;
  readonly attempt: number;
  readonly slot: number;
  readonly token: number;
  /** The pid that has claimed it; 0: nobody, and nobody can any more. */
  owner: number | null;
  heartbeatMs: number;
  /** The kernel killed its trainer for going beyond its limit: the count of its memory group. */
  ranOut: boolean;
  readonly lines: WrittenLine[];
}

/** What the job keeps over its attempts. */
export interface Checkpoints {
  epoch: number;
}

export interface TrainerPlan {
  readonly epochs: number;
  readonly epochMs: number;
  /** What it may take, and what it takes in truth when it has come to its end. */
  readonly limitBytes: number;
  readonly trueBytes: number;
  readonly orphanGraceMs: number;
}

export interface TrainerOptions {
  readonly pid: number;
  readonly folder: RunFolder;
  readonly checkpoints: Checkpoints;
  readonly plan: TrainerPlan;
  readonly loop: EventLoop;
  readonly chance: Chance;
  readonly journal: Journal;
  readonly machine: Machine;
  readonly onClaimed: (trainer: Trainer) => void;
  readonly onLine: (folder: RunFolder) => void;
  readonly onExit: (trainer: Trainer) => void;
}

const START_MS_MAX = 1_500;
const CHECKPOINT_MS_MAX = 2_000;
const EXIT_MS = 20;
const CHECKPOINT_EVERY_EPOCHS = 2;
const FAILS_SHARE = 0.02;
const REPEATS_SHARE = 0.03;
const PEAK_SHARE_MIN = 0.6;

export class Trainer {
  readonly pid: number;
  readonly process: SimProcess;
  readonly folder: RunFolder;
  claimed = false;
  /** Neither works on nor listens to SIGTERM. */
  hung = false;
  slowness = 1;
  #leaving = false;
  #epoch = 0;
  readonly #options: TrainerOptions;

  constructor(options: TrainerOptions) {
    this.#options = options;
    this.pid = options.pid;
    this.folder = options.folder;
    this.process = new SimProcess(`trainer ${options.pid}`, options.loop);
    this.process.start();
    this.process.after(options.chance.between(10, START_MS_MAX), () => this.#claim());
  }

  get alive(): boolean {
    return this.process.up;
  }

  /** SIGTERM, and SIGCONT with it: who is stopped goes on to hear it. */
  terminate(): void {
    this.process.goOn();
    if (this.hung || !this.alive || this.#leaving) return;
    this.#leave();
  }

  /** SIGKILL, whoever sends it: no last word. */
  kill(): void {
    if (!this.alive) return;
    this.process.kill();
    this.#options.machine.hold(this.process.name, 0);
    this.#options.onExit(this);
  }

  wakeUp(): void {
    if (!this.hung) return;
    this.hung = false;
    if (this.claimed && !this.#leaving) this.#next();
  }

  #claim(): void {
    const { folder, checkpoints, onClaimed } = this.#options;
    if (folder.owner !== null) return this.kill();
    folder.owner = this.pid;
    this.claimed = true;
    this.#epoch = checkpoints.epoch;
    onClaimed(this);
    this.#say({ type: 'started' });
    this.#grow(this.#epoch / this.#options.plan.epochs);
    if (this.alive) this.#next();
  }

  #next(): void {
    const { plan, chance, loop, folder } = this.#options;
    if (this.hung || this.#leaving) return;
    if (loop.nowMs - folder.heartbeatMs > plan.orphanGraceMs) {
      this.#options.journal.fault('orphan gave up', `trainer ${this.pid} of ${folder.jobId}`);
      return this.#leave();
    }
    this.process.after(chance.between(0.5, 1.5) * plan.epochMs * this.slowness, () => this.#epochDone());
  }

  #epochDone(): void {
    const { plan, chance, checkpoints } = this.#options;
    if (this.hung || this.#leaving) return;
    this.#epoch += 1;
    this.#say({ type: 'progress', epoch: this.#epoch });
    this.#grow(this.#epoch / plan.epochs);
    if (!this.alive) return;
    if (chance.happens(FAILS_SHARE)) return this.#end({ type: 'failed', retryable: chance.happens(0.7) });
    if (this.#epoch >= plan.epochs) return this.#end({ type: 'completed' });
    if (this.#epoch % CHECKPOINT_EVERY_EPOCHS === 0) {
      checkpoints.epoch = Math.max(checkpoints.epoch, this.#epoch);
      this.#say({ type: 'checkpoint', epoch: this.#epoch });
    }
    this.#next();
  }

  #leave(): void {
    const { chance, checkpoints } = this.#options;
    this.#leaving = true;
    this.process.after(chance.between(50, CHECKPOINT_MS_MAX), () => {
      if (this.claimed) checkpoints.epoch = Math.max(checkpoints.epoch, this.#epoch);
      this.#end({ type: 'preempted', epoch: this.#epoch });
    });
  }

  #end(line: TrainerLine): void {
    this.#leaving = true;
    if (this.claimed) this.#say(line);
    this.process.after(EXIT_MS, () => this.kill());
  }

  #say(line: TrainerLine): void {
    const { folder, chance, journal, onLine } = this.#options;
    folder.lines.push({ token: folder.token, pid: this.pid, line });
    if (chance.happens(REPEATS_SHARE)) {
      journal.fault('trainer spoke twice', `${line.type} of ${folder.jobId}`);
      folder.lines.push({ token: folder.token, pid: this.pid, line });
    }
    onLine(folder);
  }

  #grow(share: number): void {
    const { machine, plan } = this.#options;
    const bytes = Math.round(plan.trueBytes * (PEAK_SHARE_MIN + (1 - PEAK_SHARE_MIN) * Math.min(1, share)));
    if (bytes <= plan.limitBytes) return machine.hold(this.process.name, bytes);
    this.#options.journal.fault('training beyond its limit', `${this.process.name} of ${this.folder.jobId}`);
    machine.hold(this.process.name, plan.limitBytes);
    this.folder.ranOut = true;
    this.kill();
  }
}
