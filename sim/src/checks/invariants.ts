// The invariants (docs/lifecycles.md), held against the truth of the simulated world after each step that
// may break them. They know nothing of how the coordinator decides.
import { isTerminal, JOB_LIFECYCLE, type JobState, LEASE_LIFECYCLE, PRIORITY_RANK } from '@jarvis/contracts';
import type { Core } from '../core/core.ts';
import { liveLeases } from '../core/leases.ts';
import { learnedNeedOf } from '../core/needs.ts';
import { liveJobs } from '../core/store.ts';
import type { JobRow, LeaseRow } from '../core/tables.ts';
import type { Moved } from '../kernel/disk.ts';
import type { TrainingHold } from '@jarvis/policy';
import type { EventLoop } from '../kernel/event-loop.ts';
import { isEdge, type Journal } from '../kernel/journal.ts';
import type { RunRow } from '../reactor/tables.ts';
import type { Trainer } from '../reactor/trainer.ts';
import type { Scenario } from '../scenario.ts';
import type { MemoryTruth } from './memory-truth.ts';

export interface Violation {
  readonly invariant: string;
  readonly what: string;
}

export interface InvariantsOptions {
  readonly scenario: Scenario;
  readonly loop: EventLoop;
  readonly journal: Journal;
  readonly core: () => Core;
  readonly wall: () => number;
  readonly trainers: ReadonlyMap<number, Trainer>;
  readonly memory: MemoryTruth;
  readonly hold: () => TrainingHold | null;
}

/** A decision and its transaction lie so far apart at most; within that the order may have changed rightly. */
const DECISION_AGE_MS = 60_000;
const HOUR_MS = 3_600_000;
const MOVES_A_MINUTE_MAX = 5_000;
const HOLDING: readonly string[] = ['waiting_for_memory', 'starting', 'training', 'preempting'];
const STARTED: readonly string[] = ['starting', 'training', 'preempting'];
const RESERVING: readonly string[] = ['granted', 'expired_unconfirmed'];

export class Invariants {
  violation: Violation | null = null;
  /** When something happened that makes an order seen a moment ago no longer the right one. */
  disturbedAtMs = -Infinity;
  #minute = 0;
  #movesThisMinute = 0;
  readonly #options: InvariantsOptions;
  readonly #ends = new Map<string, string>();
  readonly #lockTokens = new Map<string, number>();
  readonly #slotTokens = new Map<number, number>();
  readonly #submittedAtMs = new Map<string, number>();
  /** When J-Prime's asking for memory last came to something. */
  #servingAtMs = -Infinity;
  #heldAtMs = -Infinity;
  /** When J-Prime's leases were given back. */
  readonly #givenBackAtMs = new Map<string, number>();
  /** The limits under which jobs of the queue ran out of memory. */
  readonly #ranOutUnder = new Map<string, number>();

  constructor(options: InvariantsOptions) {
    this.#options = options;
  }

  broken(invariant: string, what: string): void {
    this.violation ??= { invariant, what };
  }

  onCoreCommit(moves: readonly Moved[]): void {
    if (moves.length === 0) return;
    for (const { of, name, move } of moves) {
      if (!isEdge(of, move.from, move.to))
        this.broken('lifecycle', `${of} ${name}: ${move.from} -> ${move.to}`);
      if (of === 'job') this.#jobMoved(name, move);
      if (of === 'slot lock' && move.to === 'held') this.#lockTaken(name);
      if (of === 'memory lease') this.#leaseMoved(name, move);
    }
    this.#holdings();
    if (moves.some((m) => m.of === 'memory lease')) this.trainersAreCovered();
  }

  onReactorCommit(moves: readonly Moved[]): void {
    for (const { of, name, move } of moves)
      if (!isEdge(of, move.from, move.to))
        this.broken('lifecycle', `${of} ${name}: ${move.from} -> ${move.to}`);
  }

  /** I1: tokens of a slot only grow, also as Reactor Core takes them. */
  onSpawn(run: RunRow): void {
    const before = this.#slotTokens.get(run.slot) ?? 0;
    if (run.token <= before)
      this.broken('I1 token', `slot ${run.slot} was given to token ${run.token} after ${before}`);
    this.#slotTokens.set(run.slot, run.token);
    const lease = this.#options.core().tables.leases.get(run.leaseId ?? '');
    if (lease === undefined || !RESERVING.includes(lease.state))
      this.broken(
        'I2 late start',
        `${run.jobId} starts with token ${run.token}, and no lease reserves its memory`,
      );
    const ranOutUnder = this.#ranOutUnder.get(run.jobId) ?? 0;
    if (!run.borrowed && run.needBytes <= ranOutUnder)
      this.broken('need raised', `${run.jobId} gets ${run.needBytes}, and ran out under ${ranOutUnder}`);
  }

  /** I1, from the trainers' side: who has claimed a folder and lives. */
  onClaimed(): void {
    const slots = new Map<number, string>();
    const jobs = new Set<string>();
    for (const { alive, claimed, folder } of this.#options.trainers.values()) {
      if (!alive || !claimed) continue;
      const other = slots.get(folder.slot);
      if (other !== undefined)
        this.broken('I1 one trainer', `${folder.jobId} and ${other} both train on slot ${folder.slot}`);
      if (jobs.has(folder.jobId)) this.broken('I1 one trainer', `${folder.jobId} is trained twice`);
      slots.set(folder.slot, folder.jobId);
      jobs.add(folder.jobId);
    }
    this.trainersAreCovered();
  }

  /** I1: what a run says last was said by its own trainer. I4 and bounded retries, as Reactor Core sees them. */
  onRunEnded(run: RunRow, lostBefore: number): void {
    if (run.lastWord !== null && run.lastWordOf !== run.folder.owner)
      this.broken('I1 stale write', `the last word of ${run.jobId}/${run.attempt} is not its own trainer's`);
    if (lostBefore > this.#options.scenario.retryLimit + 1)
      this.broken('bounded retries', `${run.jobId} was lost ${lostBefore} times`);
    const told = run.cause === 'memory_pressure' || (run.cause === 'out_of_memory' && run.state === 'lost');
    if (told) this.#ranOutUnder.set(run.jobId, run.needBytes);
  }

  /** I2: memory of a trainer that lives is reserved. */
  trainersAreCovered(): void {
    const reserved = new Set(
      liveLeases(this.#options.core().tables)
        .filter((l) => RESERVING.includes(l.state))
        .map((l) => l.holder),
    );
    for (const { alive, claimed, folder } of this.#options.trainers.values()) {
      if (alive && claimed && !reserved.has(folder.jobId))
        this.broken(
          'I2 reserved',
          `the trainer of ${folder.jobId}/${folder.attempt} lives, and no lease reserves its memory`,
        );
    }
  }

  #jobMoved(jobId: string, move: Moved['move']): void {
    const job = this.#options.core().tables.jobs.get(jobId);
    if (job === undefined) return this.broken('I4 no job lost', `${jobId} is gone`);
    const last = job.events.at(-1);
    if (last?.state !== job.state || last.seq !== job.events.length)
      this.broken('I4 events', `${jobId} is ${job.state}, its last event says ${last?.state}`);
    const before = this.#ends.get(jobId);
    if (before !== undefined) this.broken('I4 one end', `${jobId} was ${before} and is ${move.to}`);
    if (isTerminal(JOB_LIFECYCLE, move.to as JobState)) this.#ends.set(jobId, move.to);
    const submittedAtMs = this.#submittedAtMs.get(jobId) ?? job.submittedAtMs;
    this.#submittedAtMs.set(jobId, submittedAtMs);
    if (submittedAtMs !== job.submittedAtMs)
      this.broken('submit time', `${jobId} lost its place in the queue`);
    if (job.attempt > this.#options.scenario.retryLimit + 1)
      this.broken('bounded retries', `${jobId} is in attempt ${job.attempt}`);
    const goesOn = move.to === 'waiting_for_memory' || move.to === 'starting';
    if (goesOn && job.cancelRequested) this.broken('cancel', `${jobId} goes on though it is to be cancelled`);
    if (move.to === 'waiting_for_memory') {
      this.#firstOfQueue(job);
      this.#notHeldBack(job);
    }
    if (move.to === 'starting') this.#mayTrain(job);
    if (move.to === 'preempting') this.#gaveWay(job);
    this.#settles(jobId);
  }

  /** A queue that moves without an end gets nowhere. */
  #settles(jobId: string): void {
    const minute = Math.floor(this.#options.loop.nowMs / 60_000);
    if (minute !== this.#minute) this.#movesThisMinute = 0;
    this.#minute = minute;
    this.#movesThisMinute += 1;
    if (this.#movesThisMinute > MOVES_A_MINUTE_MAX)
      this.broken('settles', `the queue moved ${this.#movesThisMinute} times in a minute, ${jobId} last`);
  }

  /** No job that could have been taken was better placed: effective class, then submit time. */
  #firstOfQueue(taken: JobRow): void {
    const { loop, wall } = this.#options;
    if (loop.nowMs - this.disturbedAtMs < DECISION_AGE_MS) return;
    const nowMs = wall();
    for (const job of liveJobs(this.#options.core().tables)) {
      const due = job.notBeforeMs === null || job.notBeforeMs <= nowMs - DECISION_AGE_MS;
      const passedOver = this.#hasFailing(job) || this.#isTooLarge(job);
      if (job.state !== 'queued' || job.cancelRequested || !due || passedOver) continue;
      const by = this.#rank(job, nowMs - DECISION_AGE_MS) - this.#rank(taken, nowMs);
      if (
        by < 0 ||
        (by === 0 && job.submittedAtMs < taken.submittedAtMs && nowMs - job.submittedAtMs > DECISION_AGE_MS)
      )
        this.broken('queue order', `${taken.jobId} takes a slot before ${job.jobId}`);
    }
  }

  /** For all that may be given away at present. */
  #isTooLarge(job: JobRow): boolean {
    const { memory, tables } = this.#options.core();
    const { leastBytes } = learnedNeedOf(job, tables);
    return memory !== null && leastBytes > memory.budgetBytes - memory.safetyBytes;
  }

  /** Jobs of its kind fail, so that it may have to wait. */
  #hasFailing({ modelType }: JobRow): boolean {
    const breaker = this.#options.core().tables.breakers.get(modelType);
    return breaker !== undefined && breaker.openUntilMs !== null;
  }

  /** Of a kind whose jobs fail nothing starts for a while, then one at a time. */
  #notHeldBack(taken: JobRow): void {
    const { core, wall, scenario } = this.#options;
    const { breakers } = core().tables;
    const until = breakers.get(taken.modelType)?.openUntilMs ?? null;
    if (until === null) return;
    const leftMs = until - wall();
    if (leftMs > DECISION_AGE_MS && leftMs <= scenario.breaker.cooldownMaxMs)
      this.broken('breaker', `${taken.jobId} takes a slot while ${taken.modelType} is held back`);
    const other = liveJobs(core().tables).find(
      (j) => j !== taken && j.modelType === taken.modelType && HOLDING.includes(j.state),
    );
    if (other !== undefined)
      this.broken('breaker', `${taken.jobId} and ${other.jobId} both try ${taken.modelType}`);
  }

  /** To a strictly higher base class that waits, and not too often; or because memory runs short by the measurement. */
  #gaveWay(victim: JobRow): void {
    const { core, wall, scenario } = this.#options;
    const { journal } = this.#options;
    if (victim.reason.includes('memory runs short')) {
      journal.fault('training stopped for want of memory', victim.jobId);
      return this.#gaveWayForMemory(victim);
    }
    if (victim.reason.includes('a request needs')) {
      journal.fault('training stopped for a request', victim.jobId);
      return this.#gaveWayForRequest(victim);
    }
    if (victim.reason.includes('is paused')) {
      journal.fault('training stopped by a pause', victim.jobId);
      return this.#wasHeld() ? undefined : this.broken('hold', `${victim.jobId} stops, and nobody paused it`);
    }
    const higher = liveJobs(core().tables).some(
      (j) =>
        (j.state === 'queued' || j.state === 'waiting_for_memory') &&
        PRIORITY_RANK[j.priority] < PRIORITY_RANK[victim.priority],
    );
    if (!higher) this.broken('preemption', `${victim.jobId} gives way, and nobody of a higher class waits`);
    const lately = victim.preemptedAtMs.filter((at) => Math.abs(wall() - at) < HOUR_MS).length;
    if (lately > scenario.preemptionsPerHour)
      this.broken('preemption', `${victim.jobId} gives way for the ${lately}th time within an hour`);
  }

  #gaveWayForRequest(victim: JobRow): void {
    const { core, loop, scenario } = this.#options;
    const asks = liveLeases(core().tables).some(
      (l) => l.purpose === 'serving' && !RESERVING.includes(l.state),
    );
    const asked = asks || loop.nowMs - this.#servingAtMs < DECISION_AGE_MS;
    if (scenario.policy !== 'serving_first' || !asked)
      this.broken('preemption', `${victim.jobId} gives way for a request, and none waits`);
  }

  #mayTrain({ jobId }: JobRow): void {
    const { loop, hold } = this.#options;
    if (hold() !== null && loop.nowMs - this.disturbedAtMs > DECISION_AGE_MS)
      this.broken('hold', `${jobId} starts while nobody may train`);
  }

  /** Within the time in which a decision is carried out. */
  #wasHeld(): boolean {
    const { loop, hold } = this.#options;
    if (hold() !== null) this.#heldAtMs = loop.nowMs;
    return loop.nowMs - Math.max(this.#heldAtMs, this.disturbedAtMs) < DECISION_AGE_MS;
  }

  #gaveWayForMemory(victim: JobRow): void {
    const core = this.#options.core();
    const leases = [...core.tables.leases.values()].filter(
      (l) => RESERVING.includes(l.state) || this.#countsStill(l),
    );
    if (this.#options.memory.problemOf(leases, core.memory) === null)
      this.broken('preemption', `${victim.jobId} gives way for memory, and there is enough`);
  }

  /** J-Prime's lease, given back, counts until a later measurement was taken in: on a slow disk that takes its time. */
  #countsStill({ leaseId }: LeaseRow): boolean {
    const atMs = this.#givenBackAtMs.get(leaseId) ?? -Infinity;
    return this.#options.loop.nowMs - atMs < DECISION_AGE_MS;
  }

  #rank(job: JobRow, nowMs: number): number {
    const base = PRIORITY_RANK[job.priority];
    return nowMs - job.submittedAtMs >= this.#options.scenario.agingMs ? Math.max(0, base - 1) : base;
  }

  #lockTaken(name: string): void {
    const lock = this.#options.core().tables.locks.get(name);
    const token = lock?.token ?? 0;
    const before = this.#lockTokens.get(name) ?? 0;
    if (token <= before) this.broken('I1 token', `${name} is held with token ${token}, after ${before}`);
    this.#lockTokens.set(name, token);
    // Somebody else took it before the first of the queue could.
    if (!this.#options.core().tables.jobs.has(lock?.holder ?? ''))
      this.disturbedAtMs = this.#options.loop.nowMs;
  }

  #leaseMoved(leaseId: string, { from, to }: Moved['move']): void {
    const { loop, core: coreOf } = this.#options;
    const core = coreOf();
    const isServing = core.tables.leases.get(leaseId)?.purpose === 'serving';
    if (isServing) this.#servingAtMs = loop.nowMs;
    if (isServing && RESERVING.includes(from)) this.#givenBackAtMs.set(leaseId, loop.nowMs);
    if (to !== 'granted') return;
    if (isServing) this.#options.journal.fault('memory given to the LLM', leaseId);
    const leases = liveLeases(core.tables).filter((l) => RESERVING.includes(l.state));
    const problem = this.#options.memory.problemOf(leases, core.memory);
    if (problem !== null) this.broken('I2 memory', `${leaseId} was granted, but ${problem}`);
  }

  /** Who holds slots and leases has a right to them, and who has a right to them holds them. */
  #holdings(): void {
    const { tables } = this.#options.core();
    for (const job of liveJobs(tables)) {
      if (!HOLDING.includes(job.state)) continue;
      const lock = tables.locks.get(`training/${job.slot}`);
      if (lock?.holder !== job.jobId || lock.token !== job.token)
        this.broken('slot', `${job.jobId} is ${job.state} without its slot (token ${job.token})`);
      const lease = tables.leases.get(job.leaseId ?? '');
      if (lease?.holder !== job.jobId || isTerminal(LEASE_LIFECYCLE, lease.state))
        this.broken('lease', `${job.jobId} is ${job.state} without a lease`);
      else if (STARTED.includes(job.state) && !RESERVING.includes(lease.state))
        this.broken('I2 reserved', `${job.jobId} is ${job.state}, its lease ${lease.state}`);
    }
    for (const lock of tables.locks.values())
      if (lock.slot !== null && lock.holder !== null) this.#mayHold(lock.holder, lock.name);
    for (const lease of liveLeases(tables)) this.#mayHold(lease.holder, lease.leaseId);
  }

  #mayHold(holder: string, what: string): void {
    const job = this.#options.core().tables.jobs.get(holder);
    if (job !== undefined && !HOLDING.includes(job.state))
      this.broken('no leak', `${what} is held by ${holder}, which is ${job.state}`);
  }
}
