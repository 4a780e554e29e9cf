// JARVIS Core: the real coordinator over a simulated disk, with its hands, its watch over the machine, and its calls.
import { BYTES_PER_GB, CodedError, LLM_HOLDER, type ModelType } from '@jarvis/contracts';
import {
  Coordinator,
  type CoordinatorEvent,
  type ExternalWork,
  type Run,
  type Submission,
  type Submitted,
} from '@jarvis/coordinator';
import { backoffMs, type MemoryView, type TrainingHold } from '@jarvis/policy';
import type { Chance } from '../kernel/chance.ts';
import { Disk, type Moved } from '../kernel/disk.ts';
import type { EventLoop } from '../kernel/event-loop.ts';
import type { Journal } from '../kernel/journal.ts';
import type { Network } from '../kernel/network.ts';
import { SimProcess } from '../kernel/process.ts';
import type { Machine } from '../outside/machine.ts';
import type { Prime } from '../outside/prime.ts';
import type { Answer, ReactorCalls, Refuse } from '../reactor/protocol.ts';
import type { Scenario } from '../scenario.ts';
import { Hands } from './hands.ts';
import { SimulatedStore } from './store.ts';
import { type CoreTables, emptyTables } from './tables.ts';

const PROBE_TIMEOUT_MS = 2_000;
const RUNS_TIMEOUT_MS = 10_000;
const RETRY_BASE_MS = 5_000;
const RETRY_MAX_MS = 600_000;
export const HOST_ID = 'h';
const DEFAULT_NEED = { host_id: HOST_ID, ram_bytes: 2 * BYTES_PER_GB, vram_bytes: {} };
const EXPECTED_CODES: readonly string[] = ['storage_full', 'service_unavailable', 'overloaded'];

export interface CoreOptions {
  readonly scenario: Scenario;
  readonly loop: EventLoop;
  readonly network: Network;
  readonly chance: Chance;
  readonly journal: Journal;
  readonly machine: Machine;
  readonly prime: Prime;
  readonly reactor: () => ReactorCalls;
  /** Wall clock of the machine. */
  readonly wall: () => number;
  /** Why nobody trains now; null: whoever is due may. */
  readonly hold: () => TrainingHold | null;
  readonly onCommit: (moves: readonly Moved[]) => void;
  readonly onTrouble: (error: unknown) => void;
  readonly onCrash: () => void;
}

export class Core {
  readonly process: SimProcess;
  readonly disk: Disk;
  readonly tables: CoreTables;
  readonly #options: CoreOptions;
  #coordinator: Coordinator | null = null;
  /** What others used at the look before; null at the first. */
  #othersBefore: number | null = null;

  constructor(options: CoreOptions) {
    const { scenario, loop, chance, journal, onCommit } = options;
    this.#options = options;
    this.process = new SimProcess('JARVIS Core', loop);
    this.tables = emptyTables(scenario.slots);
    const onCrash = (): void => options.onCrash();
    this.disk = new Disk({ process: this.process, loop, chance, journal, onCommit, onCrash });
  }

  /** All that lives in memory is made anew; the tables are as the last one left them. */
  boot(): void {
    const { scenario, chance, journal, wall, onTrouble } = this.#options;
    this.process.start();
    const store = new SimulatedStore({
      tables: this.tables,
      disk: this.disk,
      newId: (prefix) => chance.id(prefix),
      lockTtlMs: scenario.lockTtlMs,
      leaseTtlMs: scenario.leaseTtlMs,
      defaultNeed: DEFAULT_NEED,
      breaker: scenario.breaker,
      onReclaimed: (leaseId) => journal.fault('lease reclaimed', leaseId),
    });
    const hands = new Hands({
      ...this.#options,
      process: this.process,
      reactor: this.#options.reactor(),
      retryLimit: scenario.retryLimit,
      freeze: (jobId) => store.freeze(jobId),
      post: this.process.bound((event: CoordinatorEvent) => this.post(event)),
    });
    this.#coordinator = new Coordinator({
      store,
      performer: { perform: this.process.bound((work: ExternalWork) => hands.perform(work)) },
      now: wall,
      scheduling: scenario,
      hold: this.#options.hold,
      retries: {
        resume: true,
        limit: scenario.retryLimit,
        delayMs: (attempt) =>
          backoffMs({
            attempt: attempt - 1,
            baseMs: RETRY_BASE_MS,
            maxMs: RETRY_MAX_MS,
            unit: chance.unit(),
          }),
      },
      onError: (error) => {
        if (!(error instanceof CodedError) || !EXPECTED_CODES.includes(error.code)) onTrouble(error);
      },
    });
    this.#othersBefore = null;
    this.process.listening = true;
    this.#look();
  }

  kill(): void {
    this.process.kill();
    this.disk.disarm();
    this.#coordinator = null;
  }

  post(event: CoordinatorEvent): void {
    this.#options.loop.promisesSettled = true;
    this.#coordinator?.post(event);
  }

  /** What the coordinator was last told of memory. */
  get memory(): MemoryView | null {
    return this.#coordinator?.memory ?? null;
  }

  submit(submission: Submission, reply: Answer<Submitted>, refuse: Refuse): void {
    this.#options.loop.promisesSettled = true;
    this.#coordinator?.submit(submission).then(reply, (error: unknown) => refuse(coded(error)));
  }

  cancel(jobId: string, reply: Answer<true>, refuse: Refuse): void {
    this.#options.loop.promisesSettled = true;
    this.#coordinator?.cancel(jobId).then(
      () => reply(true),
      (error: unknown) => refuse(coded(error)),
    );
  }

  /** The look that is taken every interval: which runs live, what memory holds. */
  #look(): void {
    const { network, scenario } = this.#options;
    const reactor = this.#options.reactor();
    network.call<readonly Run[]>({
      what: 'which runs live',
      from: this.process,
      to: reactor.process,
      timeoutMs: RUNS_TIMEOUT_MS,
      serve: (reply) => reply(reactor.runs()),
      done: (answer) => {
        if (answer instanceof CodedError) this.post({ type: 'reactor_away', reason: answer.message });
        else this.post({ type: 'runs_observed', runs: answer });
        this.#measure(answer instanceof CodedError ? [] : answer, () =>
          this.process.after(scenario.lookIntervalMs, () => this.#look()),
        );
      },
    });
  }

  #measure(runs: readonly Run[], then: () => void): void {
    const { network, prime } = this.#options;
    network.call<NonNullable<MemoryView['prime']>>({
      what: 'what J-Prime holds',
      from: this.process,
      to: prime.process,
      timeoutMs: PROBE_TIMEOUT_MS,
      serve: (reply) => reply(prime.use()),
      done: (answer) => {
        const prime = answer instanceof CodedError ? null : answer;
        this.post({ type: 'measured', memory: this.#memoryView(runs, prime) });
        then();
      },
    });
  }

  /** J-Prime names its LLM server: while it is away, what that holds is somebody's. */
  #memoryView(runs: readonly Run[], seen: MemoryView['prime']): MemoryView {
    const { prime, machine, scenario, wall } = this.#options;
    const holders = Object.fromEntries(
      runs.flatMap((r) => (r.pid === null ? [] : [[r.job_id, machine.bytesOf(`trainer ${r.pid}`)]])),
    );
    if (seen !== null && prime.llm.bytes > 0) holders[LLM_HOLDER] = prime.llm.bytes;
    const services = seen === null ? [] : [{ owner: 'j-prime', measuredBytes: prime.smallBytes }];
    const owned = Object.values(holders).reduce((a, b) => a + b, 0) + (services[0]?.measuredBytes ?? 0);
    const othersBytes = Math.max(0, machine.usedBytes() - owned);
    const othersSteadyBytes = Math.min(othersBytes, this.#othersBefore ?? othersBytes);
    this.#othersBefore = othersBytes;
    return {
      measuredAtMs: wall(),
      budgetBytes: machine.budgetBytes,
      safetyBytes: scenario.safetyBytes,
      othersBytes,
      othersSteadyBytes,
      devices: {},
      services,
      holders,
      prime: seen,
    };
  }
}

/** What a person or a trigger asks for. */
export function submissionOf(modelType: ModelType, more: Partial<Submission>): Submission {
  return {
    model_type: modelType,
    config: {},
    auto_deploy: true,
    reason: 'asked for',
    source: 'asked',
    ...more,
  };
}

function coded(error: unknown): CodedError {
  return error instanceof CodedError ? error : new CodedError('internal', String(error));
}
