// Reactor Core: takes starts and stops, follows trainers, adopts them after a restart, renews and gives back.
import { CodedError, isTerminal, RUN_LIFECYCLE } from '@jarvis/contracts';
import type { Run } from '@jarvis/coordinator';
import { Disk, type Moved, type Transaction } from '../kernel/disk.ts';
import { SimProcess } from '../kernel/process.ts';
import type { Stream } from '../kernel/stream.ts';
import { Broker } from './broker.ts';
import type { Followed, ReactorGround } from './ground.ts';
import { LiveRun } from './live-run.ts';
import type { Answer, ReactorCalls, Refuse, StartBody, Started } from './protocol.ts';
import { Starting } from './starting.ts';
import { emptyTables, liveRuns, type ReactorJob, type RunRow } from './tables.ts';
import type { RunFolder, Trainer } from './trainer.ts';

const HEARTBEAT_MS = 5_000;
const OWN_JOBS_MS = 2_000;
const RENEWALS_PER_TTL = 4;
const CANCEL_GRACE_MS_MAX = 10_000;
const END_WAIT_MS = 5_000;
const REFUSED_RETRY_MS = 5_000;
const ADOPT_MS_MAX = 200;

export type ReactorOptions = Pick<
  ReactorGround,
  'scenario' | 'loop' | 'network' | 'chance' | 'journal' | 'machine' | 'wall' | 'core' | 'spawn' | 'trainers'
> & {
  readonly onCommit: (moves: readonly Moved[]) => void;
  readonly onCrash: () => void;
  readonly onRunEnded: (run: RunRow) => void;
};

export class Reactor implements ReactorCalls {
  readonly process: SimProcess;
  readonly disk: Disk;
  readonly ground: ReactorGround;
  #starting: Starting;
  #broker: Broker;
  readonly #readers = new Map<string, Reader[]>();

  constructor(options: ReactorOptions) {
    const { loop, chance, journal, onCrash, onCommit } = options;
    this.process = new SimProcess('Reactor Core', loop);
    this.disk = new Disk({ process: this.process, loop, chance, journal, onCrash, onCommit });
    const commit = <T>(work: (tx: Transaction) => T): T => {
      const result = this.disk.commit(work);
      this.#tellReaders();
      return result;
    };
    const own = { process: this.process, disk: this.disk, tables: emptyTables(), live: new Map(), commit };
    this.ground = { ...options, ...own };
    this.#broker = new Broker(this.ground);
    this.#starting = new Starting(this.ground, this.#broker);
  }

  boot(): void {
    const { scenario, live } = this.ground;
    this.process.start();
    live.clear();
    this.#readers.clear();
    this.#broker = new Broker(this.ground);
    this.#starting = new Starting(this.ground, this.#broker);
    this.#adopt(liveRuns(this.ground.tables), () => {
      this.process.listening = true;
    });
    this.process.every(HEARTBEAT_MS, () => this.#beat());
    this.process.every(scenario.lockTtlMs / RENEWALS_PER_TTL, () => this.#renewAll());
    this.process.every(OWN_JOBS_MS, () => this.#ownJobs());
  }

  kill(): void {
    this.process.kill();
    this.disk.disarm();
    this.ground.live.clear();
    this.#readers.clear();
  }

  start(body: StartBody, reply: Answer<Started>, refuse: Refuse): void {
    this.#starting.start(body, reply, refuse);
  }

  cancel(jobId: string, reply: Answer<string>, refuse: Refuse): void {
    const { live, scenario, tables } = this.ground;
    this.#starting.slots.run((done) => {
      try {
        const job = this.#mustFind(jobId);
        if (job.outcome === 'cancelled') reply('the job is cancelled');
        else if (job.outcome !== null) refuse(alreadyEnded(job));
        else {
          const running = live.get(jobId);
          if (running === undefined) this.#starting.endIdle(job);
          else this.#ask(running, 'cancel');
          if (running === undefined) reply('the job is cancelled');
          else
            this.#stop(running, Math.min(scenario.stopGraceMs, CANCEL_GRACE_MS_MAX), () => {
              const after = tables.jobs.get(jobId)?.outcome;
              if (after === 'cancelled' || after === null) reply('the trainer has exited');
              else refuse(alreadyEnded(job));
            });
        }
      } catch (error) {
        if (!(error instanceof CodedError)) throw error;
        refuse(error);
      } finally {
        done();
      }
    });
  }

  preempt(jobId: string, reply: Answer<string>, refuse: Refuse): void {
    const { live, scenario } = this.ground;
    this.#starting.slots.run((done) => {
      try {
        const running = live.get(this.#mustFind(jobId).jobId);
        if (running === undefined) reply('no trainer of this job runs');
        else {
          this.#ask(running, 'preempt');
          this.#stop(running, scenario.stopGraceMs, () => reply('the trainer has exited'));
        }
      } catch (error) {
        if (!(error instanceof CodedError)) throw error;
        refuse(error);
      } finally {
        done();
      }
    });
  }

  runs(): readonly Run[] {
    return liveRuns(this.ground.tables).map((run) => ({
      job_id: run.jobId,
      attempt: run.attempt,
      model_type: this.#mustFind(run.jobId).modelType,
      state: run.state,
      token: run.token,
      slot: run.slot,
      lease_id: run.leaseId,
      need: null,
      pid: run.pid,
      epoch: run.epoch,
      total_epochs: 1,
      created_at: '',
      ended_at: null,
    }));
  }

  follow(jobId: string, after: number, stream: Stream): void {
    const reader = { job: this.#mustFind(jobId), seq: after, stream };
    const readers = this.#readers.get(jobId) ?? [];
    this.#readers.set(jobId, [...readers.filter((r) => r.stream.open), reader]);
    tellReader(reader);
  }

  /** A trainer has written; whoever follows it reads on. */
  onLine(folder: RunFolder): void {
    const followed = this.ground.live.get(folder.jobId);
    if (followed?.run.folder === folder) followed.wake();
  }

  onExit(trainer: Trainer): void {
    const followed = this.ground.live.get(trainer.folder.jobId);
    if (followed?.trainer !== trainer) return;
    this.process.after(this.ground.chance.between(1, 100), () => followed.exited());
  }

  #adopt(runs: readonly RunRow[], then: () => void): void {
    const [run, ...rest] = runs;
    if (run === undefined) return then();
    const { live, trainers, chance, scenario, commit } = this.ground;
    this.process.after(chance.between(1, ADOPT_MS_MAX), () => {
      const next = (): void => this.#adopt(rest, then);
      const { folder } = run;
      if (folder.owner === null) {
        // Nobody claimed it, and nobody can now; one that is just starting will find that out and leave.
        folder.owner = 0;
        trainers.get(run.pid ?? 0)?.kill();
      }
      const trainer = trainers.get(folder.owner);
      const followed = new LiveRun(this.ground, run, trainer?.alive === true ? trainer : null);
      live.set(run.jobId, followed);
      if (followed.trainer === null) {
        followed.onEnd(next);
        return followed.exited();
      }
      try {
        commit((tx) => tx.change(run, { pid: followed.trainer?.pid ?? null }));
      } catch (error) {
        if (!(error instanceof CodedError)) throw error;
      }
      followed.wake();
      if (run.stopAsked !== null) followed.stop(scenario.stopGraceMs);
      next();
    });
  }

  #ask(running: Followed, why: 'cancel' | 'preempt'): void {
    const { run } = running;
    const outlives = run.stopAsked === 'cancel' || (run.stopAsked !== null && why === 'preempt');
    const stopAsked = outlives ? run.stopAsked : why;
    if (!isTerminal(RUN_LIFECYCLE, run.state)) this.ground.commit((tx) => tx.change(run, { stopAsked }));
  }

  #stop(running: Followed, graceMs: number, then: () => void): void {
    let open = true;
    const once = (): void => {
      if (open) then();
      open = false;
    };
    running.onEnd(once);
    running.stop(graceMs);
    this.process.after(graceMs + END_WAIT_MS, once);
  }

  #beat(): void {
    for (const { run } of this.ground.live.values()) run.folder.heartbeatMs = this.ground.loop.nowMs;
  }

  #renewAll(): void {
    const { live, scenario, journal } = this.ground;
    for (const running of live.values()) {
      this.#broker.renew(running.run, (renewal) => {
        const stays = renewal === 'held' || renewal === 'unknown';
        if (stays || live.get(running.run.jobId) !== running) return;
        if (renewal === 'reclaimed' && running.run.stopAsked === null)
          journal.say(`${running.run.jobId} is stopped: its lease is wanted back`);
        quietly(() => this.#ask(running, 'preempt'));
        running.stop(scenario.stopGraceMs);
      });
    }
  }

  #ownJobs(): void {
    const { tables, wall, commit } = this.ground;
    for (const run of tables.unreturned) {
      if (!isTerminal(RUN_LIFECYCLE, run.state)) continue;
      this.#broker.giveBack(run, (isBack) => {
        if (isBack && tables.unreturned.delete(run))
          quietly(() => commit((tx) => tx.change(run, { borrowed: false })));
      });
    }
    for (const job of tables.jobs.values()) {
      if (job.owner !== 'self' || job.outcome !== null || job.resumeAtMs === null) continue;
      if (job.resumeAtMs > wall()) continue;
      const later = (ms: number): void =>
        quietly(() => commit((tx) => tx.change(job, { resumeAtMs: wall() + ms })));
      later(REFUSED_RETRY_MS * 4);
      this.#starting.resume(job.jobId, (error) =>
        later((error.details.retry_after_seconds ?? REFUSED_RETRY_MS / 1000) * 1000),
      );
    }
  }

  #mustFind(jobId: string): ReactorJob {
    const job = this.ground.tables.jobs.get(jobId);
    if (job === undefined) throw new CodedError('not_found', `there is no job ${jobId}`);
    return job;
  }

  #tellReaders(): void {
    for (const [jobId, readers] of this.#readers) {
      for (const reader of readers) tellReader(reader);
      const open = readers.filter((r) => r.stream.open);
      if (open.length === 0) this.#readers.delete(jobId);
      else if (open.length < readers.length) this.#readers.set(jobId, open);
    }
  }
}

interface Reader {
  readonly job: ReactorJob;
  seq: number;
  readonly stream: Stream;
}

function tellReader(reader: Reader): void {
  const { events } = reader.job;
  while (reader.seq < events.length) {
    const item = events[reader.seq];
    if (item === undefined || !reader.stream.push(item)) return;
    reader.seq += 1;
  }
}

/** What fails for a full disk is tried again by the next round. */
function quietly(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
  }
}

function alreadyEnded(job: ReactorJob): CodedError {
  return new CodedError('already_ended', `${job.jobId} has ended already: it is ${job.outcome}`);
}
