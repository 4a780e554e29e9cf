// The coordinator's hands, as JARVIS Core has them: each piece of work outside is a task, begun when the state calls for
// it and ended when it no longer does; what comes of it goes into the inbox as an event.
import { CodedError, LAST_TRAINING_EVENTS } from '@jarvis/contracts';
import type { CoordinatorEvent, Drain, ExternalWork, Performer, StoredJob } from '@jarvis/coordinator';
import { backoffMs } from '@jarvis/policy';
import type { Chance } from '../kernel/chance.ts';
import type { EventLoop } from '../kernel/event-loop.ts';
import type { Journal } from '../kernel/journal.ts';
import type { Network } from '../kernel/network.ts';
import type { SimProcess } from '../kernel/process.ts';
import { Stream } from '../kernel/stream.ts';
import type { Prime, RoomState } from '../outside/prime.ts';
import type { ReactorCalls, Started } from '../reactor/protocol.ts';

const RETRY_BASE_MS = 500;
const RETRY_MAX_MS = 15_000;
const CALL_TIMEOUT_MS = 10_000;
const CANCEL_TIMEOUT_MS = 60_000;
const DRAIN_AGAIN_MS = 10_000;
const DRAIN_POLL_MS = 1_000;

export interface HandsOptions {
  readonly process: SimProcess;
  readonly loop: EventLoop;
  readonly network: Network;
  readonly chance: Chance;
  readonly journal: Journal;
  readonly reactor: ReactorCalls;
  readonly prime: Prime;
  readonly retryLimit: number;
  /** Freezes the job's data set; answers its epochs. */
  readonly freeze: (jobId: string) => number;
  readonly post: (event: CoordinatorEvent) => void;
}

interface Task {
  aborted: boolean;
  onAbort: () => void;
}

interface Trying {
  readonly task: Task;
  readonly done: () => void;
  readonly attempt: number;
}

export class Hands implements Performer {
  readonly #options: HandsOptions;
  readonly #tasks = new Map<string, Task>();
  #mayRestore = false;

  constructor(options: HandsOptions) {
    this.#options = options;
  }

  perform(work: ExternalWork): void {
    const wanted = new Map<string, (task: Task, done: () => void) => void>();
    for (const job of work.start)
      wanted.set(`start ${job.jobId} ${job.token}`, (task, done) => this.#start(job, task, done, 0));
    for (const job of work.follow)
      wanted.set(`follow ${job.jobId}`, (task, done) => new Following(this.#options, job, task, done).read());
    for (const job of work.preempt)
      wanted.set(`preempt ${job.jobId} ${job.token}`, (task, done) =>
        this.#end('preempt', job, { task, done, attempt: 0 }),
      );
    for (const job of work.cancel)
      wanted.set(`cancel ${job.jobId}`, (task, done) => this.#end('cancel', job, { task, done, attempt: 0 }));
    for (const drain of work.drain)
      wanted.set(`drain ${drain.lease.leaseId}`, (task, done) => this.#drain(drain, task, done, 1));
    if (work.restore && this.#mayRestore) wanted.set('restore', (_task, done) => this.#restore(done));
    if (work.drain.length > 0) this.#mayRestore = true;
    for (const [key, task] of this.#tasks) if (!wanted.has(key)) abort(task);
    for (const [key, run] of wanted) if (!this.#tasks.has(key)) this.#begin(key, run);
  }

  #begin(key: string, run: (task: Task, done: () => void) => void): void {
    const task: Task = { aborted: false, onAbort: () => undefined };
    this.#tasks.set(key, task);
    run(task, () => {
      this.#tasks.delete(key);
      // The state may call for it again; it is looked at once more.
      if (!task.aborted) this.#options.post({ type: 'look' });
    });
  }

  /** Asks Reactor Core until it answers: it is idempotent, so that an answer that was lost does no harm. */
  #start(job: StoredJob, task: Task, done: () => void, attempt: number): void {
    const { network, process, reactor, post, freeze, retryLimit } = this.#options;
    if (task.aborted) return done();
    const token = job.token ?? 0;
    let epochs: number;
    try {
      epochs = freeze(job.jobId);
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      const refusal = refusalOf(error);
      if (refusal?.final === true) post({ type: 'run_refused', jobId: job.jobId, token, ...refusal });
      return process.after(RETRY_BASE_MS, done);
    }
    const grant = { token, slot: job.slot ?? 0, leaseId: job.leaseId };
    const { jobId, modelType } = job;
    const needBytes = job.need.ram_bytes;
    const body = { jobId, modelType, epochs, needBytes, lastAttempt: job.attempt > retryLimit, grant };
    network.call<Started>({
      what: `start ${jobId} with token ${token}`,
      from: process,
      to: reactor.process,
      timeoutMs: CALL_TIMEOUT_MS,
      serve: (reply, refuse) => reactor.start(body, reply, refuse),
      done: (answer) => {
        const refusal = answer instanceof CodedError ? refusalOf(answer) : null;
        if (!(answer instanceof CodedError)) post({ type: 'run_started', jobId, token });
        else if (refusal !== null) post({ type: 'run_refused', jobId, token, ...refusal });
        else return this.#pause(attempt, task, () => this.#start(job, task, done, attempt + 1));
        done();
      },
    });
  }

  #end(how: 'cancel' | 'preempt', job: StoredJob, { task, done, attempt }: Trying): void {
    const { network, process, reactor } = this.#options;
    if (task.aborted) return done();
    network.call<string>({
      what: `${how} ${job.jobId}`,
      from: process,
      to: reactor.process,
      timeoutMs: CANCEL_TIMEOUT_MS,
      serve: (reply, refuse) => reactor[how](job.jobId, reply, refuse),
      done: (answer) => {
        const passing =
          answer instanceof CodedError && answer.code !== 'already_ended' && answer.code !== 'not_found';
        if (passing)
          this.#pause(attempt, task, () => this.#end(how, job, { task, done, attempt: attempt + 1 }));
        // The stream tells the end; until then this task stands for the request that was made.
        else waitForAbort(task, done);
      },
    });
  }

  /** What is in use now may be idle later: asked again, under another id, for as long as it is called for. */
  #drain(drain: Drain, task: Task, done: () => void, asked: number): void {
    const { network, process, prime } = this.#options;
    if (task.aborted) return done();
    const { lease } = drain;
    const again = (after: number, next: number): void =>
      waitFor(process, after, task, () => this.#drain(drain, task, done, next));
    network.call<RoomState>({
      what: `make room for ${lease.holder}`,
      from: process,
      to: prime.process,
      timeoutMs: CALL_TIMEOUT_MS,
      serve: (reply) => reply(prime.makeRoom(`${lease.leaseId}-${asked}`)),
      done: (answer) => {
        if (answer instanceof CodedError || answer === 'draining') again(DRAIN_POLL_MS, asked);
        // What J-Prime says is not trusted: the next measurement decides.
        else again(DRAIN_AGAIN_MS, asked + 1);
      },
    });
  }

  #restore(done: () => void): void {
    const { network, process, prime } = this.#options;
    network.call<true>({
      what: 'restore',
      from: process,
      to: prime.process,
      timeoutMs: CALL_TIMEOUT_MS,
      serve: (reply) => {
        prime.restore();
        reply(true);
      },
      done: (answer) => {
        if (answer === true) this.#mayRestore = false;
        done();
      },
    });
  }

  #pause(attempt: number, task: Task, then: () => void): void {
    const { process, chance } = this.#options;
    const waitMs =
      RETRY_BASE_MS / 2 +
      backoffMs({ attempt, baseMs: RETRY_BASE_MS, maxMs: RETRY_MAX_MS, unit: chance.unit() });
    waitFor(process, waitMs, task, then);
  }
}

/** Reads a run's stream, again and again from where it was left. */
class Following {
  readonly #options: HandsOptions;
  readonly #job: StoredJob;
  readonly #task: Task;
  readonly #done: () => void;
  #cursor: number;

  constructor(options: HandsOptions, job: StoredJob, task: Task, done: () => void) {
    this.#options = options;
    this.#job = job;
    this.#task = task;
    this.#done = done;
    this.#cursor = job.runCursor;
  }

  read(): void {
    const { network, process, reactor, loop, chance, journal } = this.#options;
    if (this.#task.aborted) return this.#done();
    const { jobId } = this.#job;
    const what = `events of ${jobId}`;
    const stream = new Stream({
      loop,
      network,
      chance,
      journal,
      reader: process,
      teller: reactor.process,
      what,
      onItem: ({ seq, event, data }) => this.#take(stream, { jobId, seq, event, data }),
      onBroken: () => this.#again(),
    });
    this.#task.onAbort = () => {
      stream.close();
      this.#done();
    };
    network.call<true>({
      what,
      from: process,
      to: reactor.process,
      timeoutMs: CALL_TIMEOUT_MS,
      serve: (reply) => {
        reactor.follow(jobId, this.#cursor, stream);
        reply(true);
      },
      done: (answer) => {
        if (!(answer instanceof CodedError) || !stream.open) return;
        stream.close();
        if (answer.code === 'not_found') this.#forgotten();
        else this.#again();
      },
    });
  }

  #take(stream: Stream, event: Extract<CoordinatorEvent, { type: 'run_event' }>['event']): void {
    this.#cursor = event.seq;
    this.#options.post({ type: 'run_event', event });
    if (!LAST_TRAINING_EVENTS.includes(event.event)) return;
    stream.close();
    this.#done();
  }

  #forgotten(): void {
    const { jobId } = this.#job;
    const data = { error: 'Reactor Core does not know this run any more' };
    this.#options.post({
      type: 'run_event',
      event: { jobId, seq: this.#cursor + 1, event: 'failed', data },
    });
    this.#done();
  }

  #again(): void {
    if (this.#task.aborted) return;
    this.#task.onAbort = this.#done;
    this.#options.process.after(RETRY_BASE_MS, () => {
      if (!this.#task.aborted) this.read();
    });
  }
}

function abort(task: Task): void {
  if (task.aborted) return;
  task.aborted = true;
  task.onAbort();
}

function waitForAbort(task: Task, done: () => void): void {
  if (task.aborted) done();
  else task.onAbort = done;
}

/** Goes on after the wait, or at once when the task is no longer wanted. */
function waitFor(process: SimProcess, ms: number, task: Task, then: () => void): void {
  let waiting = true;
  const go = (): void => {
    if (!waiting) return;
    waiting = false;
    task.onAbort = () => undefined;
    then();
  };
  task.onAbort = go;
  process.after(ms, go);
}

/** What would meet any other job as well. */
const BUSY: readonly string[] = ['slot_busy', 'memory_unavailable', 'overloaded', 'storage_full'];

type Refusal = Pick<
  Extract<CoordinatorEvent, { type: 'run_refused' }>,
  'reason' | 'final' | 'busy' | 'retryAfterMs'
>;

/** What an answer of Reactor Core means for the job; null when there was no answer, and asking again is right. */
function refusalOf(error: CodedError): Refusal | null {
  if (['service_unavailable', 'internal', 'already_ended'].includes(error.code)) return null;
  const retryAfterMs = (error.details.retry_after_seconds ?? 1) * 1000;
  const busy = BUSY.includes(error.code);
  return { reason: error.message, final: !busy && error.code !== 'stale_token', busy, retryAfterMs };
}
