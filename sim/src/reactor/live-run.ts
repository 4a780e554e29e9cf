// One live trainer and what is done about it: take in its lines, stop it when it hangs, hear of its exit, take in the
// rest, end the run.
import { CodedError } from '@jarvis/contracts';
import type { Transaction } from '../kernel/disk.ts';
import { backoffMs, beginSilence, isHung, listen, type Silence } from '@jarvis/policy';
import type { Followed, ReactorGround } from './ground.ts';
import { type LastWord, moveRun, type ReactorJob, type RunRow, tell, tellStatus } from './tables.ts';
import type { Trainer, TrainerLine } from './trainer.ts';

const POLL_MS = 150;
const FINISH_RETRY_MS = 1_000;
const ARTIFACT_MS_MAX = 500;
const LAST_WORD_GRACE_MS = 5_000;
const KILL_CONFIRMED_MS = 50;
const LISTEN_MS = 5_000;
const RESUME_DELAY_MS = 5_000;
const RESUME_DELAY_MAX_MS = 600_000;

export class LiveRun implements Followed {
  readonly run: RunRow;
  readonly trainer: Trainer | null;
  readonly #ground: ReactorGround;
  readonly #job: ReactorJob;
  readonly #waiting: (() => void)[] = [];
  #looking = false;
  #finishing = false;
  #stopping = false;
  #silence: Silence;
  #linesHeard = 0;

  constructor(ground: ReactorGround, run: RunRow, trainer: Trainer | null) {
    this.#ground = ground;
    this.run = run;
    this.trainer = trainer;
    const job = ground.tables.jobs.get(run.jobId);
    if (job === undefined) throw new Error('a run has a job');
    this.#job = job;
    this.#silence = beginSilence(ground.loop.nowMs, 0);
    if (trainer !== null) ground.process.after(LISTEN_MS, () => this.#listen());
  }

  /** There is something to read; it is read a little later, as by a watcher of files. */
  wake(): void {
    if (this.#looking || this.#finishing) return;
    this.#looking = true;
    this.#ground.process.after(this.#ground.chance.between(1, POLL_MS), () => {
      this.#looking = false;
      if (!this.#finishing) this.#takeIn();
    });
  }

  /** The exit is confirmed: only now the run may end. */
  exited(): void {
    if (this.#finishing) return;
    this.#finishing = true;
    this.#finish();
  }

  onEnd(then: () => void): void {
    this.#waiting.push(this.#ground.process.bound(then));
  }

  /** Asks the trainer to checkpoint and exit, kills it after the grace. */
  stop(graceMs: number): void {
    const { trainer } = this;
    if (trainer === null || this.#stopping) return;
    this.#stopping = true;
    trainer.terminate();
    this.#ground.process.after(graceMs, () => {
      this.#stopping = false;
      if (!trainer.alive) return;
      this.#ground.process.after(KILL_CONFIRMED_MS, () => trainer.kill());
    });
  }

  #listen(): void {
    if (this.#finishing) return;
    const { process, loop, scenario } = this.#ground;
    const { length } = this.run.folder.lines;
    const limitMs = scenario.silenceLimitMs;
    this.#silence = listen(this.#silence, { nowMs: loop.nowMs, heard: length > this.#linesHeard, limitMs });
    this.#linesHeard = length;
    if (isHung(this.#silence, limitMs) && !this.#stopping) this.#halt();
    process.after(LISTEN_MS, () => this.#listen());
  }

  #halt(): void {
    const { journal, commit, scenario } = this.#ground;
    const { stopAsked, jobId } = this.run;
    journal.fault('silent trainer stopped', `of ${jobId}`);
    try {
      if (stopAsked !== 'cancel') commit((tx) => tx.change(this.run, { stopAsked: 'silent' }));
      this.stop(scenario.stopGraceMs);
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
    }
  }

  #takeIn(): boolean {
    const { run } = this;
    const { lines } = run.folder;
    if (run.linesRead >= lines.length) return true;
    try {
      this.#ground.commit((tx) => {
        for (const { token, pid, line } of lines.slice(run.linesRead)) {
          // A line that carries another token is not of this run's trainer, whatever it says.
          if (token === run.trainerToken) this.#take(tx, line, pid);
        }
        tx.change(run, { linesRead: lines.length });
      });
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      return false;
    }
    if (run.lastWord !== null && !this.#finishing)
      this.#ground.process.after(LAST_WORD_GRACE_MS, () => this.stop(LAST_WORD_GRACE_MS));
    return true;
  }

  #take(tx: Transaction, line: TrainerLine, pid: number): void {
    const { run } = this;
    switch (line.type) {
      case 'started':
        moveRun(tx, run, 'running', 'its trainer has started');
        return tellStatus(tx, this.#job, run);
      case 'progress':
        tx.change(run, { epoch: line.epoch });
        return tellStatus(tx, this.#job, run);
      case 'checkpoint':
        return tell(tx, this.#job, 'checkpoint', { epoch: line.epoch });
      case 'completed':
      case 'preempted':
        return tx.change(run, { lastWord: line.type, lastWordOf: pid });
      case 'failed':
        tx.change(run, { lastWord: line.retryable ? 'failed' : 'failed for good', lastWordOf: pid });
    }
  }

  #finish(): void {
    const { process, chance } = this.#ground;
    const again = (): void => process.after(FINISH_RETRY_MS, () => this.#finish());
    if (!this.#takeIn()) return again();
    const artifactMs = endOf(this.run) === 'completed' ? chance.between(10, ARTIFACT_MS_MAX) : 0;
    process.after(artifactMs, () => {
      try {
        this.#ground.commit((tx) => this.#store(tx));
      } catch (error) {
        if (!(error instanceof CodedError)) throw error;
        return again();
      }
      const { live, onRunEnded } = this.#ground;
      if (live.get(this.run.jobId) === this) live.delete(this.run.jobId);
      onRunEnded(this.run);
      for (const then of this.#waiting.splice(0)) then();
    });
  }

  #store(tx: Transaction): void {
    const { run } = this;
    const job = this.#job;
    const end = endOf(run);
    if (end === 'completed' || end === 'preempted') moveRun(tx, run, 'running', 'its trainer had started');
    if (!moveRun(tx, run, end, run.lastWord ?? 'no last word')) return;
    const { attempt, token } = run;
    switch (end) {
      case 'preempted':
        this.#resumeLater(tx, 0);
        return tell(tx, job, 'preempted', { status: 'preempted', epoch: run.epoch, attempt, token });
      case 'lost':
        return this.#lose(tx);
      case 'completed':
        tx.change(job, { outcome: end, resumeAtMs: null });
        return tell(tx, job, end, { status: end, model_version: `v0.${attempt}.0` });
      case 'failed':
      case 'cancelled':
        tx.change(job, { outcome: end, resumeAtMs: null });
        return tell(tx, job, end, { status: end, error: 'trainer_lost' });
    }
  }

  #lose(tx: Transaction): void {
    const job = this.#job;
    tellStatus(tx, job, this.run);
    if (job.owner !== 'self') return;
    const lost = job.runs.filter((r) => r.state === 'lost').length;
    if (lost <= this.#ground.scenario.retryLimit) return this.#resumeLater(tx, lost);
    tx.change(job, { outcome: 'failed', resumeAtMs: null });
    tell(tx, job, 'failed', { status: 'failed', error: `lost in ${lost} attempts` });
  }

  #resumeLater(tx: Transaction, lost: number): void {
    const { wall, chance } = this.#ground;
    if (this.#job.owner !== 'self') return;
    const how = { baseMs: RESUME_DELAY_MS, maxMs: RESUME_DELAY_MAX_MS, unit: chance.unit() };
    const waitMs = lost === 0 ? RESUME_DELAY_MS : backoffMs({ attempt: lost - 1, ...how });
    tx.change(this.#job, { resumeAtMs: wall() + waitMs });
  }
}

type RunEnd = 'completed' | 'failed' | 'cancelled' | 'preempted' | 'lost';

/** How a run ends, from what it was asked, what its trainer said last, and that it is gone. */
function endOf(run: RunRow): RunEnd {
  const word: LastWord | null = run.lastWord;
  if (run.stopAsked === 'cancel') return 'cancelled';
  if (word === 'completed') return word;
  if (word === 'failed for good') return 'failed';
  if (run.stopAsked === 'silent') return run.lastAttempt ? 'failed' : 'lost';
  if (word === 'preempted') return word;
  if (run.stopAsked === 'preempt' && word === null) return 'preempted';
  return run.lastAttempt ? 'failed' : 'lost';
}
