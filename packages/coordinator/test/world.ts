// A coordinator over a store in memory, a clock that stands still unless moved, and steps that scenarios have in common.
import assert from 'node:assert/strict';
import type { ModelType } from '@jarvis/contracts';
import type { MemoryView, SchedulingOptions } from '@jarvis/policy';
import {
  Coordinator,
  type CoordinatorEvent,
  type CoordinatorOptions,
  type ExternalWork,
  type RunEvent,
  type Submission,
} from '../src/index.ts';
import { type MemoryJob, MemoryStore } from './memory-store.ts';

export const START_MS = 1_000_000_000;
export const BUDGET_BYTES = 10;

export const RULES: SchedulingOptions = {
  policy: 'wait',
  slotTimeoutMs: 300_000,
  agingMs: 3_600_000,
  primeThresholdBytes: 100,
  primeIdleMs: 60_000,
  preemptAfterMs: 30_000,
  preemptionsPerHour: 3,
  breaker: { failures: 3, cooldownMs: 60_000, cooldownMaxMs: 3_600_000 },
};

/** What is asked for: an nlu job that needs one byte, unless told otherwise. */
export function asked(over: Partial<Submission> = {}): Submission {
  return { model_type: 'nlu', config: {}, auto_deploy: true, reason: 'asked for', source: 'asked', ...over };
}

/** A measurement: everything is free, J-Prime is not there, unless told otherwise. */
export function measured(over: Partial<MemoryView> = {}): CoordinatorEvent {
  const memory = {
    measuredAtMs: 0,
    budgetBytes: BUDGET_BYTES,
    safetyBytes: 0,
    othersBytes: 0,
    othersSteadyBytes: 0,
    devices: {},
    services: [],
  };
  return { type: 'measured', memory: { ...memory, holders: {}, prime: null, ...over } };
}

export class World {
  readonly store: MemoryStore;
  readonly coordinator: Coordinator;
  /** What was asked for outside, the latest last. */
  readonly performed: ExternalWork[] = [];
  readonly errors: { readonly error: unknown; readonly event: CoordinatorEvent }[] = [];
  nowMs = START_MS;

  constructor(store = new MemoryStore(), over: Partial<CoordinatorOptions> = {}) {
    this.store = store;
    this.coordinator = new Coordinator({
      store,
      performer: { perform: (work) => this.performed.push(work) },
      now: () => this.nowMs,
      scheduling: RULES,
      retries: { resume: true, limit: 2, delayMs: (attempt) => attempt * 5_000 },
      onError: (error, event) => this.errors.push({ error, event }),
      ...over,
    });
  }

  /** Puts events in, and waits until all that follows from them is done. */
  async tell(...events: readonly CoordinatorEvent[]): Promise<void> {
    for (const event of events) this.coordinator.post(event);
    await this.coordinator.idle();
  }

  /** Reactor Core answers and has no run; memory is free. */
  async wake(): Promise<this> {
    await this.tell({ type: 'runs_observed', runs: [] }, measured());
    return this;
  }

  async submit(over: Partial<Submission> = {}): Promise<string> {
    const { jobId } = await this.coordinator.submit(asked(over));
    await this.coordinator.idle();
    return jobId;
  }

  /** Submits a job and answers for Reactor Core that its run has started. */
  async train(modelType: ModelType = 'nlu'): Promise<string> {
    const jobId = await this.submit({ model_type: modelType });
    await this.begin(jobId);
    return jobId;
  }

  async begin(jobId: string): Promise<void> {
    assert.equal(this.job(jobId).state, 'starting', this.job(jobId).reason);
    await this.tell({ type: 'run_started', jobId, token: this.token(jobId) });
    assert.equal(this.job(jobId).state, 'training');
  }

  /** What Reactor Core's stream says of a run. */
  async hear(jobId: string, seq: number, event: string, data: RunEvent['data'] = {}): Promise<void> {
    await this.tell({ type: 'run_event', event: { jobId, seq, event, data } });
  }

  job(jobId: string): MemoryJob {
    const job = this.store.jobs.get(jobId);
    assert.ok(job, `there is a job ${jobId}`);
    return job;
  }

  token(jobId: string): number {
    return this.job(jobId).token ?? assert.fail(`${jobId} has a token`);
  }

  /** The work asked for last, by the ids of jobs and leases. */
  get work(): Record<'start' | 'follow' | 'preempt' | 'cancel' | 'drain', readonly string[]> {
    const work = this.performed.at(-1) ?? assert.fail('something was performed');
    const ids = (jobs: ExternalWork['start']): string[] => jobs.map((j) => j.jobId);
    const { start, follow, preempt, cancel, drain } = work;
    return {
      start: ids(start),
      follow: ids(follow),
      preempt: ids(preempt),
      cancel: ids(cancel),
      drain: drain.map((d) => d.lease.leaseId),
    };
  }

  /** Nobody holds anything. */
  assertAllGivenBack(): void {
    assert.deepEqual(
      this.store.slots.map((s) => s.holder),
      this.store.slots.map(() => null),
    );
    for (const lease of this.store.leases.values()) assert.equal(lease.state, 'released', lease.leaseId);
  }
}
