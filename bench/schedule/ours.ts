// The real `schedule()` in virtual time, one look every few seconds, without faults: what it decides is done at once.
import { BYTES_PER_GB, LLM_HOLDER, type NegotiationPolicy } from '@jarvis/contracts';
import {
  type JobView,
  type LeaseView,
  type MemoryView,
  schedule,
  type SchedulingSnapshot,
} from '@jarvis/policy';
import type { Outcome } from './plain.ts';
import type { Day, Training } from './workload.ts';

const GB = BYTES_PER_GB;
const LOOK_MS = 5_000;
const ROUNDS_MAX = 1_000;
const LOOKS_MAX = 100_000;
const HOST_ID = 'h';
export const BUDGET_BYTES = 64 * GB;
export const OTHERS_BYTES = 5 * GB;
export const LLM_BYTES = 38 * GB;
/** To start a training, or to go on from its checkpoint; and to load the LLM. */
export const START_MS = 5_000;
export const LOAD_MS = 20_000;
const OPTIONS: Omit<SchedulingSnapshot['options'], 'policy'> = {
  slotTimeoutMs: 300_000,
  agingMs: 3_600_000,
  primeThresholdBytes: 20 * GB,
  primeIdleMs: 60_000,
  preemptAfterMs: 30_000,
  preemptionsPerHour: 3,
  breaker: { failures: 3, cooldownMs: 60_000, cooldownMaxMs: 3_600_000 },
};

type Job = { -readonly [K in keyof JobView]: JobView[K] } & { leftMs: number };

/** Another order among those of one class; what it changes is seen by `schedule()` as other submit times. */
export type Reorder = (
  waiting: readonly Job[],
  trainingOf: (jobId: string) => Training,
) => readonly JobView[];

export interface OurOptions {
  readonly policy: NegotiationPolicy;
  readonly reorder?: Reorder;
}

export function ours(day: Day, options: OurOptions): Outcome {
  const machine = new VirtualMachine(day, options);
  for (let look = 0; look < LOOKS_MAX; look += 1) if (machine.look()) return machine.outcome;
  throw new Error(`the trainings have not ended after ${LOOKS_MAX} looks`);
}

class VirtualMachine {
  readonly #day: Day;
  readonly #options: OurOptions;
  readonly #jobs = new Map<string, Job>();
  readonly #arriving: Training[];
  #leases: LeaseView[] = [];
  #nowMs = 0;
  #leaseCount = 0;
  #lastUseMs = -Infinity;
  #llm: 'there' | 'loading' | 'away' = 'there';
  #loadedAtMs = 0;
  readonly outcome = { endsMs: new Map<string, number>(), away: [] as { fromMs: number; toMs: number }[] };

  constructor(day: Day, options: OurOptions) {
    this.#day = day;
    this.#options = options;
    this.#arriving = day.trainings.toSorted((a, b) => a.arrivesMs - b.arrivesMs);
  }

  /** True when all is done. */
  look(): boolean {
    this.#arrive();
    this.#train();
    this.#serve();
    this.#decide();
    this.#nowMs += LOOK_MS;
    const isOver = this.outcome.endsMs.size === this.#day.trainings.length && this.#llm === 'there';
    return isOver;
  }

  #arrive(): void {
    while ((this.#arriving[0]?.arrivesMs ?? Infinity) <= this.#nowMs) {
      const training = this.#arriving.shift();
      if (training === undefined) return;
      const { jobId, modelType, priority, arrivesMs, workMs, needBytes } = training;
      this.#jobs.set(jobId, {
        jobId,
        modelType,
        priority,
        state: 'queued',
        submittedAtMs: arrivesMs,
        notBeforeMs: null,
        waitingSinceMs: null,
        slot: null,
        leaseId: null,
        need: { host_id: HOST_ID, ram_bytes: needBytes, vram_bytes: {} },
        leastRamBytes: needBytes,
        cancelRequested: false,
        maxWaitMs: null,
        hasRun: false,
        trainingSinceMs: null,
        preemptedAtMs: [],
        leftMs: workMs,
      });
    }
  }

  #train(): void {
    for (const job of this.#jobs.values()) {
      if (job.state === 'preempting') this.#toQueue(job, this.#nowMs);
      if (job.state !== 'training') continue;
      job.leftMs -= LOOK_MS;
      if (job.leftMs > 0) continue;
      this.outcome.endsMs.set(job.jobId, this.#nowMs + job.leftMs);
      this.#release(job.jobId);
      this.#jobs.delete(job.jobId);
    }
  }

  #serve(): void {
    const isWanted = this.#day.bursts.some((b) => b.fromMs <= this.#nowMs && this.#nowMs < b.toMs);
    if (this.#llm === 'loading' && this.#nowMs >= this.#loadedAtMs) {
      this.#llm = 'there';
      this.#release(LLM_HOLDER);
      const last = this.outcome.away.at(-1);
      if (last !== undefined) last.toMs = this.#nowMs;
    }
    if (isWanted) this.#lastUseMs = this.#nowMs;
    if (this.#llm !== 'away') return;
    const asks = this.#leases.some((l) => l.holder === LLM_HOLDER);
    const mayAsk = this.#leases.length === 0 || (isWanted && this.#options.policy === 'serving_first');
    if (!asks && mayAsk) this.#ask(LLM_HOLDER, 'serving', LLM_BYTES);
  }

  #decide(): void {
    for (let round = 0; round < ROUNDS_MAX; round += 1) {
      let moved = false;
      for (const decision of schedule(this.#snapshot())) moved = this.#act(decision) || moved;
      if (!moved) return;
    }
    throw new Error('scheduling does not settle');
  }

  #act(decision: ReturnType<typeof schedule>[number]): boolean {
    switch (decision.type) {
      case 'grant_lease':
        this.#grant(decision.leaseId);
        return true;
      case 'drain':
        return this.#drain(decision.leaseId);
      case 'start':
        return this.#start(this.#job(decision.jobId));
      case 'take_slot': {
        const leaseId = this.#ask(decision.jobId, 'training', this.#job(decision.jobId).need.ram_bytes);
        const taken = {
          state: 'waiting_for_memory',
          slot: decision.slot,
          leaseId,
          waitingSinceMs: this.#nowMs,
        } as const;
        Object.assign(this.#job(decision.jobId), taken);
        return true;
      }
      case 'requeue':
        this.#toQueue(this.#job(decision.jobId), decision.notBeforeMs);
        return true;
      case 'preempt': {
        const job = this.#job(decision.jobId);
        job.state = 'preempting';
        job.preemptedAtMs = [...job.preemptedAtMs, this.#nowMs];
        return true;
      }
      case 'explain':
      case 'explain_lease':
        return false;
      default:
        throw new Error(`nothing here calls for ${decision.type}`);
    }
  }

  #snapshot(): SchedulingSnapshot {
    const jobs = [...this.#jobs.values()];
    // Who has the slot and waits for memory may have to give it back: it is compared with those of the queue.
    const waits = ({ state }: Job): boolean => state === 'queued' || state === 'waiting_for_memory';
    const waiting = jobs.filter(waits);
    const { policy, reorder } = this.#options;
    const ordered = reorder === undefined ? waiting : reorder(waiting, (id) => this.#trainingOf(id));
    const holder = jobs.find((j) => j.slot !== null)?.jobId ?? null;
    return {
      nowMs: this.#nowMs,
      jobs: [...jobs.filter((j) => !waits(j)), ...ordered],
      slots: [{ slot: 0, holder }],
      leases: this.#leases,
      memory: this.#memory(jobs),
      reactorAway: null,
      hold: null,
      justWoke: false,
      breakers: [],
      options: { ...OPTIONS, policy },
    };
  }

  #memory(jobs: readonly Job[]): MemoryView {
    const trains = jobs.filter((j) => j.state === 'training' || j.state === 'preempting');
    const holders = Object.fromEntries(trains.map((j) => [j.jobId, j.need.ram_bytes]));
    const heldBytes = this.#llm === 'there' ? LLM_BYTES : 0;
    if (heldBytes > 0) holders[LLM_HOLDER] = heldBytes;
    return {
      measuredAtMs: this.#nowMs,
      budgetBytes: BUDGET_BYTES,
      safetyBytes: 0,
      othersBytes: OTHERS_BYTES,
      othersSteadyBytes: OTHERS_BYTES,
      services: [],
      holders,
      prime: { heldBytes, idleMs: this.#nowMs - this.#lastUseMs, activeRequests: 0 },
      devices: {},
    };
  }

  #ask(holder: string, purpose: LeaseView['purpose'], bytes: number): string {
    const leaseId = `l${(this.#leaseCount += 1)}`;
    const need = { host_id: HOST_ID, ram_bytes: bytes, vram_bytes: {} };
    this.#leases = [
      ...this.#leases,
      { leaseId, holder, purpose, state: 'requested', need, expiresAtMs: null, reclaimed: false },
    ];
    return leaseId;
  }

  #grant(leaseId: string): void {
    const lease = this.#leases.find((l) => l.leaseId === leaseId);
    this.#change(leaseId, 'granted');
    if (lease?.holder !== LLM_HOLDER) return;
    this.#llm = 'loading';
    this.#loadedAtMs = this.#nowMs + LOAD_MS;
  }

  /** J-Prime gives its LLM when that is idle, or at once where trainings come first; asked for until it does. */
  #drain(leaseId: string): boolean {
    const isIdle = this.#nowMs - this.#lastUseMs >= OPTIONS.primeIdleMs;
    if (this.#llm !== 'there' || (this.#options.policy !== 'training_first' && !isIdle)) return false;
    this.#change(leaseId, 'draining');
    this.#llm = 'away';
    this.outcome.away.push({ fromMs: this.#nowMs, toMs: Infinity });
    return true;
  }

  #start(job: Job): boolean {
    job.state = 'training';
    job.trainingSinceMs = this.#nowMs;
    job.waitingSinceMs = null;
    job.leftMs += START_MS;
    return true;
  }

  #toQueue(job: Job, notBeforeMs: number): void {
    const hasRun = job.hasRun || job.trainingSinceMs !== null;
    this.#release(job.jobId);
    Object.assign(job, {
      state: 'queued',
      slot: null,
      leaseId: null,
      notBeforeMs,
      hasRun,
      trainingSinceMs: null,
      waitingSinceMs: null,
    });
  }

  #release(holder: string): void {
    this.#leases = this.#leases.filter((l) => l.holder !== holder);
  }

  #change(leaseId: string, state: LeaseView['state']): void {
    this.#leases = this.#leases.map((l) => (l.leaseId === leaseId ? { ...l, state } : l));
  }

  #job(jobId: string): Job {
    const job = this.#jobs.get(jobId);
    if (job === undefined) throw new Error(`there is no job ${jobId}`);
    return job;
  }

  #trainingOf(jobId: string): Training {
    const training = this.#day.trainings.find((t) => t.jobId === jobId);
    if (training === undefined) throw new Error(`there is no training ${jobId}`);
    return training;
  }
}

/** Those of one class exchange their submit times, so that who is expected to take least comes first. */
export const SHORTEST_OF_CLASS: Reorder = (waiting, trainingOf) => {
  const expected = (job: Job): number => trainingOf(job.jobId).expectedMs;
  return waiting.map((job) => {
    const equals = waiting.filter((j) => j.priority === job.priority);
    const times = equals.map((j) => j.submittedAtMs).toSorted((a, b) => a - b);
    const place = equals.toSorted((a, b) => expected(a) - expected(b)).indexOf(job);
    return { ...job, submittedAtMs: times[place] ?? job.submittedAtMs };
  });
};
