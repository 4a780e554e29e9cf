// The training coordinator: one inbox, one writer. Events come in, are taken one after another, each changes the store
// in guarded transactions; then scheduling cycles run until nothing is left to decide, and the work outside is derived.
//
//   HTTP, triggers, Reactor Core's streams, measurements --> inbox --> store --> schedule() --> store --> perform()
import { CodedError, invariant, type ModelType } from '@jarvis/contracts';
import {
  availableBytes,
  type Decision,
  type LeaseView,
  type MemoryView,
  schedule,
  type SchedulingOptions,
  type TrainingHold,
} from '@jarvis/policy';
import type {
  CoordinatorStore,
  Drain,
  ExternalWork,
  Performer,
  Run,
  RunEvent,
  StoredState,
  Submission,
  Submitted,
} from './ports.ts';
import { applyRunEvent, type RetryRules } from './run-events.ts';
import { StartHold } from './start-hold.ts';
import { Unmeasured } from './unmeasured.ts';
import { type Heard, reconcileRuns } from './reconcile.ts';

/** A cycle that still decides after so many rounds is a bug: each round moves something along its lifecycle. */
const ROUNDS_MAX = 10_000;
const INBOX_MAX = 100_000;
/** Nothing is granted on memory as it was longer ago: in the meantime it may have gone to somebody else. */
const MEMORY_AGE_MAX_MS = 60_000;

export type CoordinatorEvent =
  | { readonly type: 'submit'; readonly submission: Submission }
  | { readonly type: 'cancel'; readonly jobId: string }
  | { readonly type: 'measured'; readonly memory: MemoryView }
  | { readonly type: 'run_started'; readonly jobId: string; readonly token: number }
  | {
      readonly type: 'run_refused';
      readonly jobId: string;
      readonly token: number;
      readonly reason: string;
      readonly final: boolean;
      /** It is Reactor Core that can't start anything now, not this job. */
      readonly busy: boolean;
      readonly retryAfterMs: number;
    }
  | { readonly type: 'run_event'; readonly event: RunEvent }
  | { readonly type: 'runs_observed'; readonly runs: readonly Run[] }
  | { readonly type: 'reactor_away'; readonly reason: string }
  | { readonly type: 'reset_breaker'; readonly modelType: ModelType }
  /** Locks or leases were changed over HTTP, or time has passed. */
  | { readonly type: 'look' };

export interface CoordinatorOptions {
  readonly store: CoordinatorStore;
  readonly performer: Performer;
  /** Wall clock, milliseconds since the epoch: what is stored is compared with it. */
  readonly now: () => number;
  readonly scheduling: SchedulingOptions;
  /** Why nobody trains now; null: whoever is due may. Asked in each cycle. Unset: never held. */
  readonly hold?: () => TrainingHold | null;
  readonly retries: RetryRules;
  /** How old a measurement may be that a grant rests on; several intervals of measuring. Unset: 60 s. */
  readonly memoryAgeMaxMs?: number;
  readonly onError: (error: unknown, event: CoordinatorEvent) => void;
}

interface Letter {
  readonly event: CoordinatorEvent;
  readonly putAtMs: number;
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: unknown) => void;
}

export class Coordinator {
  readonly #options: CoordinatorOptions;
  readonly #inbox: Letter[] = [];
  /** Jobs whose reader is ahead of the store: an event of their run could not be stored. */
  readonly #ahead = new Set<string>();
  /** Silent holders of which Reactor Core has said once that no run is theirs. */
  #suspects: ReadonlySet<string> = new Set();
  #working: Promise<void> | null = null;
  #stopped = false;
  #memory: MemoryView | null = null;
  /** When that was told; a letter may lie in the inbox for long. */
  #memoryAtMs = 0;
  #reactorAway: string | null = 'Reactor Core has not answered yet';
  readonly #startHold = new StartHold();
  readonly #unmeasured = new Unmeasured();
  /** null: none yet in this process. */
  #lastCycleAtMs: number | null = null;

  constructor(options: CoordinatorOptions) {
    this.#options = options;
  }

  /** Puts an event in; errors go to `onError`. */
  post(event: CoordinatorEvent): void {
    this.#put(event).catch((error: unknown) => this.#options.onError(error, event));
  }

  async submit(submission: Omit<Submission, 'atLeastNew'>): Promise<Submitted> {
    const submitted = await this.#put({ type: 'submit', submission });
    invariant(submitted !== null, 'only a submission with a condition may be left out');
    return submitted as Submitted;
  }

  /** Null when fewer experiences than these are new by now. */
  async submitIfNew(submission: Submission, atLeastNew: number): Promise<Submitted | null> {
    return (await this.#put({
      type: 'submit',
      submission: { ...submission, atLeastNew },
    })) as Submitted | null;
  }

  /** Throws `not_found` and `already_ended`. */
  async cancel(jobId: string): Promise<void> {
    await this.#put({ type: 'cancel', jobId });
  }

  /** Lets the jobs of a model type go that its breaker holds back; false when it has none. */
  async resetBreaker(modelType: ModelType): Promise<boolean> {
    return (await this.#put({ type: 'reset_breaker', modelType })) as boolean;
  }

  /** The last measurement, for showing. */
  get memory(): MemoryView | null {
    return this.#memory;
  }

  /** Resolves when everything that is in the inbox now has been worked off. */
  async idle(): Promise<void> {
    while (this.#working !== null) await this.#working;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const letter of this.#inbox.splice(0))
      letter.reject(new CodedError('service_unavailable', 'JARVIS Core is stopping'));
    await this.idle();
  }

  #put(event: CoordinatorEvent): Promise<unknown> {
    if (this.#stopped)
      return Promise.reject(new CodedError('service_unavailable', 'JARVIS Core is stopping'));
    if (this.#inbox.length >= INBOX_MAX)
      return Promise.reject(
        new CodedError('overloaded', 'too many events are waiting', { retry_after_seconds: 1 }),
      );
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#inbox.push({ event, putAtMs: this.#options.now(), resolve, reject });
    this.#working ??= this.#work().finally(() => (this.#working = null));
    return promise;
  }

  async #work(): Promise<void> {
    while (this.#inbox.length > 0) {
      const letters = this.#inbox.splice(0);
      for (const letter of letters) await this.#take(letter);
      await this.#cycle().catch((error: unknown) => this.#options.onError(error, { type: 'look' }));
    }
  }

  async #take(letter: Letter): Promise<void> {
    try {
      letter.resolve(await this.#handle(letter));
    } catch (error) {
      letter.reject(error);
    }
  }

  async #handle({ event, putAtMs }: Letter): Promise<unknown> {
    const { store, now } = this.#options;
    switch (event.type) {
      case 'submit':
        return store.submit(event.submission, now());
      case 'cancel':
        return this.#cancel(event.jobId);
      case 'measured':
        this.#memory = event.memory;
        this.#memoryAtMs = putAtMs;
        return undefined;
      case 'run_started':
        this.#startHold.started();
        return store.markTraining(event.jobId, event.token, now());
      case 'run_refused':
        return this.#refused(event);
      case 'run_event':
        return this.#runEvent(event.event);
      case 'runs_observed':
        this.#reactorAway = null;
        this.#suspects = await reconcileRuns(store, event.runs, this.#heard(), now());
        return undefined;
      case 'reactor_away':
        this.#reactorAway = event.reason;
        return undefined;
      case 'reset_breaker':
        return store.resetBreaker(event.modelType);
      case 'look':
        return undefined;
    }
  }

  async #runEvent(event: RunEvent): Promise<void> {
    const { store, now, retries } = this.#options;
    try {
      if (await applyRunEvent(store, event, retries, now())) return;
    } catch (error) {
      this.#ahead.add(event.jobId);
      throw error;
    }
    this.#ahead.add(event.jobId);
  }

  async #cancel(jobId: string): Promise<void> {
    const { store, now } = this.#options;
    const state = await store.requestCancel(jobId, now());
    if (state === null) throw new CodedError('not_found', `there is no job ${jobId}`);
    if (state === 'completed' || state === 'failed')
      throw new CodedError('already_ended', `job ${jobId} is ${state}`);
    if (state === 'queued' || state === 'waiting_for_memory')
      await this.#endCancelled(jobId, 'cancelled before it started');
  }

  #endCancelled(jobId: string, reason: string): Promise<boolean> {
    const { store, now } = this.#options;
    return store.end(jobId, 'cancelled', { reason, modelVersion: null, error: null }, now());
  }

  async #refused(event: Extract<CoordinatorEvent, { type: 'run_refused' }>): Promise<void> {
    const { store, now } = this.#options;
    const { jobs } = await store.load(now());
    const job = jobs.find(
      (j) => j.jobId === event.jobId && j.token === event.token && j.state === 'starting',
    );
    if (job === undefined) return;
    if (event.final) {
      await store.end(
        job.jobId,
        'failed',
        { reason: event.reason, modelVersion: null, error: event.reason },
        now(),
      );
      return;
    }
    const waitMs = event.busy ? this.#startHold.refused(event, now()) : event.retryAfterMs;
    await store.requeue(
      job.jobId,
      { reason: event.reason, notBeforeMs: now() + waitMs, spendsAttempt: false },
      now(),
    );
  }

  async #cycle(): Promise<void> {
    const { store, now, performer } = this.#options;
    const justWoke = this.#wokeAt(now());
    for (let round = 0; round < ROUNDS_MAX; round += 1) {
      const state = await store.load(now());
      const decisions = schedule(this.#snapshot(state, justWoke));
      let moved = false;
      for (const decision of decisions) moved = (await this.#decide(decision, state)) || moved;
      if (!moved) {
        performer.perform(this.#asFarAsKnown(externalWork(state, this.#memory)));
        await this.#explain(state, decisions);
        return;
      }
    }
    invariant(false, `scheduling did not settle within ${ROUNDS_MAX} rounds`);
  }

  /**
   * A start whose answer is still unread is not asked for again: after a refusal the job's slot and memory go back, and
   * a second request that is accepted would train without them. A reader that is ahead is ended here; the next cycle
   * begins one where the store is.
   */
  #asFarAsKnown(work: ExternalWork): ExternalWork {
    const answered = new Set(
      this.#inbox.flatMap(({ event }) =>
        event.type === 'run_started' || event.type === 'run_refused' ? [event.jobId] : [],
      ),
    );
    const start = work.start.filter((j) => !answered.has(j.jobId));
    const follow = work.follow.filter((j) => !this.#ahead.has(j.jobId));
    this.#ahead.clear();
    return { ...work, start, follow };
  }

  /** Measurements make a cycle every few seconds: where they were missing for long, this process was stopped, or is new. */
  #wokeAt(nowMs: number): boolean {
    const { memoryAgeMaxMs = MEMORY_AGE_MAX_MS } = this.#options;
    const before = this.#lastCycleAtMs;
    this.#lastCycleAtMs = nowMs;
    return before === null || Math.abs(nowMs - before) > memoryAgeMaxMs;
  }

  #snapshot(state: StoredState, justWoke: boolean): Parameters<typeof schedule>[0] {
    const { now, scheduling, hold = () => null } = this.#options;
    const unmeasured = this.#unmeasured.of(state.leases, this.#memoryAtMs, now());
    return {
      ...state,
      leases: [...state.leases, ...unmeasured],
      nowMs: now(),
      justWoke,
      hold: hold(),
      memory: this.#freshMemory(),
      reactorAway: this.#reactorAway ?? this.#startHold.reason(now()),
      options: scheduling,
    };
  }

  #heard(): Heard {
    const prime = this.#freshMemory()?.prime ?? null;
    return { suspects: this.#suspects, mayLoadLlm: prime === null || prime.isLoading === true };
  }

  /** Whichever way the clock was set, a measurement that is far from now is none. */
  #freshMemory(): MemoryView | null {
    const { now, memoryAgeMaxMs = MEMORY_AGE_MAX_MS } = this.#options;
    return Math.abs(now() - this.#memoryAtMs) <= memoryAgeMaxMs ? this.#memory : null;
  }

  /** Acts on one decision; true when something moved, so that another round is worth it. */
  async #decide(decision: Decision, { leases }: StoredState): Promise<boolean> {
    const { store, now } = this.#options;
    switch (decision.type) {
      case 'expire_lease':
        return store.expireLease(decision.leaseId, now());
      case 'grant_lease':
        for (const lease of leases) if (lease.leaseId === decision.leaseId) this.#unmeasured.granted(lease);
        return store.grantLease(decision.leaseId, decision.reason, now());
      case 'refuse_lease':
        return store.refuseLease(decision.leaseId, decision.reason, now());
      case 'explain_lease':
        await store.explainLease(decision.leaseId, decision.reason);
        return false;
      case 'drain':
        return store.drainLease(decision.leaseId, decision.reason, now());
      case 'reclaim':
        return store.reclaimLease(decision.leaseId, decision.reason, now());
      case 'start':
        return store.beginStart(decision.jobId, decision.reason, now());
      case 'take_slot':
        return store.takeSlot(decision, now());
      case 'requeue':
        return store.requeue(decision.jobId, { ...decision, spendsAttempt: false }, now());
      case 'preempt':
        return store.beginPreempt(decision.jobId, decision.reason, now());
      case 'cancel':
        return this.#endCancelled(decision.jobId, decision.reason);
      case 'explain':
        return false;
    }
  }

  /** Once a cycle, when all else is decided, and only what has become another sentence. */
  async #explain({ jobs }: StoredState, decisions: readonly Decision[]): Promise<void> {
    const told = new Map(jobs.map((j) => [j.jobId, j.reason]));
    const news = decisions.flatMap((d) =>
      d.type === 'explain' && told.get(d.jobId) !== d.reason ? [{ jobId: d.jobId, reason: d.reason }] : [],
    );
    if (news.length > 0) await this.#options.store.explain(news);
  }
}

/** What the state calls for outside. */
export function externalWork(state: StoredState, memory: MemoryView | null): ExternalWork {
  const { jobs, leases } = state;
  return {
    start: jobs.filter((j) => j.state === 'starting'),
    follow: jobs.filter((j) => j.state === 'training' || j.state === 'preempting'),
    preempt: jobs.filter((j) => j.state === 'preempting'),
    cancel: jobs.filter((j) => j.cancelRequested && (j.state === 'training' || j.state === 'preempting')),
    drain: leases.filter((l) => l.state === 'draining').map((lease) => drainOf(lease, leases, memory)),
    restore: leases.length === 0,
  };
}

function drainOf(lease: LeaseView, leases: readonly LeaseView[], memory: MemoryView | null): Drain {
  const available = memory === null ? 0 : Math.max(0, availableBytes(memory, leases));
  return { lease, bytes: Math.max(1, Math.ceil(lease.need.ram_bytes - available)) };
}
