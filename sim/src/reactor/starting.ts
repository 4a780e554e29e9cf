// Starts a job's first attempt or its next one; the same request again gets the same answer, and nothing starts twice.
// A token that was refused is refused for ever.
import { CodedError } from '@jarvis/contracts';
import type { Broker } from './broker.ts';
import type { Transaction } from '../kernel/disk.ts';
import type { Followed, ReactorGround } from './ground.ts';
import { Line } from './line.ts';
import { LiveRun } from './live-run.ts';
import type { Answer, Refuse, StartBody, Started } from './protocol.ts';
import { lastRunOf, type ReactorJob, type RunRow, tell, tellStatus } from './tables.ts';

const DATASET_MS_MAX = 300;
const LAUNCH_MS_MAX = 60;
const NO_ROOM_FOR_DATA_SHARE = 0.1;
const BUSY_RETRY_SECONDS = 5;
const JOBS_IN_LINE_MAX = 100_000;

type Grant = NonNullable<StartBody['grant']> & { readonly borrowed: boolean };
interface Caller {
  readonly reply: Answer<Started>;
  readonly refuse: Refuse;
}

export class Starting {
  /** Decisions about slots and the starts that follow from them, one after another. */
  readonly slots: Line;
  readonly #jobs = new Map<string, Line>();
  readonly #ground: ReactorGround;
  readonly #broker: Broker;

  constructor(ground: ReactorGround, broker: Broker) {
    this.slots = new Line(ground.process);
    this.#ground = ground;
    this.#broker = broker;
  }

  start(body: StartBody, reply: Answer<Started>, refuse: Refuse): void {
    this.#inLine(body.jobId, { reply, refuse }, (caller) => {
      const spending: Refuse = (error) => caller.refuse(this.#spend(body, error));
      const own = { reply: caller.reply, refuse: spending };
      guarded(own, () => this.#start(body, own));
    });
  }

  /** The token is spent before its refusal is said; while that cannot be stored, the caller has to ask again. */
  #spend({ grant }: StartBody, error: CodedError): CodedError {
    if (grant === null || error.code === 'service_unavailable' || error.code === 'stale_token') return error;
    try {
      this.#ground.commit((tx) => this.#take(tx, grant));
      return error;
    } catch (cause) {
      if (!(cause instanceof CodedError)) throw cause;
      return new CodedError('service_unavailable', `${error.message}; this cannot be stored`);
    }
  }

  #take(tx: Transaction, { slot, token }: Pick<Grant, 'slot' | 'token'>): void {
    const { tokens } = this.#ground.tables;
    const seen = tokens.get(slot);
    if (seen === undefined) tx.insert(tokens, slot, { token });
    else if (seen.token < token) tx.change(seen, { token });
  }

  /** The next attempt of a job of our own, with slot and lease that are asked for now. */
  resume(jobId: string, refuse: Refuse): void {
    const caller = { reply: () => undefined, refuse };
    this.#inLine(jobId, caller, (inner) => {
      const job = this.#ground.tables.jobs.get(jobId);
      if (job !== undefined && mayGoOn(job)) this.#startBorrowing(bodyOf(job), inner);
      else inner.reply({ jobId, attempt: 0 });
    });
  }

  #inLine(jobId: string, caller: Caller, work: (caller: Caller) => void): void {
    if (this.#jobs.size > JOBS_IN_LINE_MAX) this.#jobs.clear();
    const line = this.#jobs.get(jobId) ?? new Line(this.#ground.process);
    this.#jobs.set(jobId, line);
    line.run((done) => {
      const inner: Caller = {
        reply: (answer) => {
          caller.reply(answer);
          done();
        },
        refuse: (error) => {
          caller.refuse(error);
          done();
        },
      };
      guarded(inner, () => work(inner));
    });
  }

  #start(body: StartBody, caller: Caller): void {
    const { tables, process, chance } = this.#ground;
    const known = tables.jobs.get(body.jobId);
    if (known !== undefined && !this.#asksForNextAttempt(known, body))
      return caller.reply({ jobId: body.jobId, attempt: lastRunOf(known)?.attempt ?? 1 });
    const { grant } = body;
    if (grant === null) {
      this.#refuseWhenFull();
      return this.#startBorrowing(body, caller);
    }
    this.#checkSlot(body.jobId, grant);
    const start = (): void => this.#startWith(body, { ...grant, borrowed: false }, caller);
    if (known !== undefined) return process.after(0, start);
    process.after(chance.between(1, DATASET_MS_MAX), () => {
      if (this.#dataFits(body.jobId)) start();
      else caller.refuse(new CodedError('storage_full', 'no space is left for the data set'));
    });
  }

  /** A disk has room for a row of the store where it has none for a data set. */
  #dataFits(jobId: string): boolean {
    const { network, chance, journal } = this.#ground;
    if (network.mishap === 0 || !chance.happens(NO_ROOM_FOR_DATA_SHARE)) return true;
    journal.fault('no room for a data set', jobId);
    return false;
  }

  #startBorrowing(body: StartBody, caller: Caller): void {
    this.#broker.borrow(body.jobId, body.needBytes, (borrowed) => {
      if (borrowed instanceof CodedError) return caller.refuse(borrowed);
      const refuse: Refuse = (error) => this.#broker.giveBack(borrowed, () => caller.refuse(error));
      this.#startWith(body, { ...borrowed, borrowed: true }, { reply: caller.reply, refuse });
    });
  }

  #startWith(body: StartBody, grant: Grant, caller: Caller): void {
    const { process, chance } = this.#ground;
    this.slots.run((done) => {
      const settled: Caller = {
        reply: (answer) => {
          caller.reply(answer);
          done();
        },
        refuse: (error) => {
          caller.refuse(error);
          done();
        },
      };
      guarded(settled, () => {
        // While slot and memory were waited for it may have been cancelled: a job ends once (I4).
        const outcome = this.#ground.tables.jobs.get(body.jobId)?.outcome ?? null;
        if (outcome !== null)
          throw new CodedError('already_ended', `${body.jobId} has ended meanwhile: it is ${outcome}`);
        this.#checkSlot(body.jobId, grant);
        const run = this.#accept(body, grant);
        process.after(chance.between(1, LAUNCH_MS_MAX), () =>
          guarded(settled, () => this.#launch(run, settled)),
        );
      });
    });
  }

  #accept(body: StartBody, grant: Grant): RunRow {
    const { tables, commit, loop } = this.#ground;
    const { jobId, needBytes } = body;
    const { slot, token, leaseId, borrowed } = grant;
    return commit((tx) => {
      const job = tables.jobs.get(jobId) ?? newJob(body);
      if (!tables.jobs.has(jobId)) tx.insert(tables.jobs, jobId, job);
      tx.change(job, { owner: borrowed ? 'self' : 'jarvis-core', resumeAtMs: null });
      this.#take(tx, grant);
      const last = lastRunOf(job);
      const attempt = (last?.attempt ?? 0) + 1;
      const trainerToken = Math.max(token, (last?.trainerToken ?? 0) + 1);
      const folder = {
        jobId,
        attempt,
        slot,
        token: trainerToken,
        owner: null,
        heartbeatMs: loop.nowMs,
        ranOut: false,
        lines: [],
      };
      const lastAttempt = body.lastAttempt;
      const fresh = { state: 'accepted', pid: null, linesRead: 0, epoch: 0 } as const;
      const silent = { stopAsked: null, lastWord: null, lastWordOf: null, cause: null, peakBytes: 0 };
      const key = { jobId, attempt, token, trainerToken, slot, leaseId, needBytes, lastAttempt, borrowed };
      const run: RunRow = { ...key, ...fresh, ...silent, folder };
      tx.append(job.runs, run);
      tables.liveRuns.add(run);
      if (borrowed) tables.unreturned.add(run);
      tellStatus(tx, job, run);
      return run;
    });
  }

  #launch(run: RunRow, caller: Caller): void {
    const { spawn, commit, live } = this.#ground;
    const answer = { jobId: run.jobId, attempt: run.attempt };
    const trainer = spawn(run);
    const followed = new LiveRun(this.#ground, run, trainer);
    if (trainer === null) {
      live.set(run.jobId, followed);
      followed.onEnd(() => caller.reply(answer));
      return followed.exited();
    }
    live.set(run.jobId, followed);
    try {
      commit((tx) => tx.change(run, { pid: trainer.pid }));
    } catch (error) {
      // It runs all the same: its folder says who it is, should Reactor Core restart.
      if (!(error instanceof CodedError)) throw error;
    }
    caller.reply(answer);
  }

  /** A known job goes on when its last attempt is over without a result and this request has the right to a slot. */
  #asksForNextAttempt(known: ReactorJob, body: StartBody): boolean {
    const last = lastRunOf(known);
    if (known.outcome !== null || last === undefined) return false;
    if (body.grant === null) return known.owner === 'self' && mayGoOn(known);
    const { slot, token } = body.grant;
    // With a token that none of its attempts had, it is no request that was answered before.
    return !known.runs.some((run) => run.slot === slot && run.token === token);
  }

  #highestToken(slot: number): number {
    return this.#ground.tables.tokens.get(slot)?.token ?? 0;
  }

  /** I1: no token that is not the highest, and nothing new before the exit of the old trainer is confirmed. */
  #checkSlot(jobId: string, grant: Pick<Grant, 'slot' | 'token'>): void {
    const { live } = this.#ground;
    const { slot, token } = grant;
    if (token <= this.#highestToken(slot))
      throw new CodedError('stale_token', `token ${token} of slot ${slot} is not above what was seen before`);
    const old = [...live.values()].find((l) => l.run.slot === slot) ?? live.get(jobId);
    if (old !== undefined) {
      this.#makeWay(old);
      throw busy(old.run.jobId);
    }
    this.#refuseWhenFull();
  }

  #refuseWhenFull(): void {
    const { live, scenario } = this.#ground;
    if (live.size >= scenario.slots) throw busy([...live.keys()][0] ?? '');
  }

  #makeWay(old: Followed): void {
    const { commit, scenario } = this.#ground;
    try {
      if (old.run.stopAsked === null) commit((tx) => tx.change(old.run, { stopAsked: 'preempt' }));
      old.stop(scenario.stopGraceMs);
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
    }
  }

  /** Ends a job without a live attempt, because somebody cancels it. */
  endIdle(job: ReactorJob): void {
    this.#ground.commit((tx) => {
      tx.change(job, { outcome: 'cancelled', resumeAtMs: null });
      tell(tx, job, 'cancelled', { status: 'cancelled' });
    });
  }
}

function guarded(caller: Caller, work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    caller.refuse(error);
  }
}

function mayGoOn(job: ReactorJob): boolean {
  const last = lastRunOf(job);
  return job.outcome === null && (last?.state === 'lost' || last?.state === 'preempted');
}

function newJob({ jobId, modelType, epochs, needBytes }: StartBody): ReactorJob {
  const nothing = { outcome: null, resumeAtMs: null, events: [], runs: [], checkpoints: { epoch: 0 } };
  return { jobId, modelType, epochs, needBytes, owner: 'jarvis-core', ...nothing };
}

function bodyOf({ jobId, modelType, epochs, needBytes }: ReactorJob): StartBody {
  return { jobId, modelType, epochs, needBytes, lastAttempt: false, grant: null };
}

function busy(activeJobId: string): CodedError {
  return new CodedError('slot_busy', `no training slot is free (${activeJobId} trains)`, {
    retry_after_seconds: BUSY_RETRY_SECONDS,
  });
}
