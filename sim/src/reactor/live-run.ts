// One live trainer and what is done about it: take in its lines, stop it when it hangs, hear of its exit, take in the
// rest, end the run.
import { CodedError, type RunEndCause } from '@jarvis/contracts';
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
/** Beyond this share of its limit a trainer is asked to checkpoint and go, while it still can. */
const PRESSURE_SHARE = 0.9;
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
      if (this.#finishing) return;
      this.#watchMemory();
      this.#takeIn();
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

  /** What it holds grows with what it says, so that it is looked at when it says something. */
  #watchMemory(): void {
    const { machine, commit, journal } = this.#ground;
    const { run, trainer } = this;
    if (trainer === null) return;
    const bytes = machine.bytesOf(trainer.process.name);
    const tooMuch = bytes > PRESSURE_SHARE * run.needBytes && run.stopAsked === null;
    if (bytes <= run.peakBytes && !tooMuch) return;
    try {
      commit((tx) => {
        tx.change(run, { peakBytes: Math.max(bytes, run.peakBytes) });
        if (tooMuch) tx.change(run, { stopAsked: 'memory_pressure' });
      });
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      return;
    }
    if (!tooMuch) return;
    journal.fault('training near its limit', `${trainer.process.name} of ${run.jobId} is stopped`);
    this.stop(this.#ground.scenario.stopGraceMs);
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
    const peak = run.folder.ranOut ? Math.max(run.needBytes, run.peakBytes) : run.peakBytes;
    tx.change(run, { cause: causeOf(run, end), peakBytes: peak });
    const { attempt, token, cause } = run;
    const peak_ram_bytes = peak === 0 ? null : peak;
    switch (end) {
      case 'preempted':
        tell(tx, job, end, { status: end, epoch: run.epoch, attempt, token, cause, peak_ram_bytes });
        // Nobody's wish: a job that takes too much again and again must use its retries up.
        return cause === 'memory_pressure' ? this.#retry(tx) : this.#resumeLater(tx, 0);
      case 'lost':
        tellStatus(tx, job, run);
        return this.#retry(tx);
      case 'completed':
        tx.change(job, { outcome: end, resumeAtMs: null });
        return tell(tx, job, end, { status: end, model_version: `v0.${attempt}.0`, attempt, peak_ram_bytes });
      case 'failed':
      case 'cancelled':
        tx.change(job, { outcome: end, resumeAtMs: null });
        return tell(tx, job, end, { status: end, error: 'trainer_lost' });
    }
  }

  #retry(tx: Transaction): void {
    const job = this.#job;
    if (job.owner !== 'self') return;
    const lost = job.runs.filter((r) => r.state === 'lost' || r.cause === 'memory_pressure').length;
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

function causeOf(run: RunRow, end: RunEnd): RunEndCause | null {
  if (end !== 'preempted' && end !== 'lost') return null;
  if (end === 'lost' && run.stopAsked === 'silent') return 'silent';
  if (run.folder.ranOut && run.lastWord === null) return 'out_of_memory';
  if (end === 'lost') return 'died';
  return run.stopAsked === 'memory_pressure' ? 'memory_pressure' : 'asked';
}

/** How a run ends, from what it was asked, what its trainer said last, and that it is gone. */
function endOf(run: RunRow): RunEnd {
  const word: LastWord | null = run.lastWord;
  if (run.stopAsked === 'cancel') return 'cancelled';
  if (word === 'completed') return word;
  if (word === 'failed for good') return 'failed';
  if (run.stopAsked === 'silent') return run.lastAttempt ? 'failed' : 'lost';
  if (word === 'preempted') return word;
  if (run.stopAsked === 'preempt' && word === null) return 'preempted';
  if (run.stopAsked === 'memory_pressure' && word === null && !run.folder.ranOut) return 'preempted';
  return run.lastAttempt ? 'failed' : 'lost';
}
