// J-Prime's LLM server: loaded when a request wants it and its memory is granted, and gone when that is wanted back.
//
//   absent -> asking -> loading -> ready -> draining -> absent      after `apps/j-prime/src/llm/server.ts`, step by step
//
// Its memory is a process's of its own: as J-Prime's child it ends with J-Prime, else it lives on and is found again.
import { CodedError, type LeaseState } from '@jarvis/contracts';
import type { Chance } from '../kernel/chance.ts';
import type { EventLoop } from '../kernel/event-loop.ts';
import type { Journal } from '../kernel/journal.ts';
import type { Network } from '../kernel/network.ts';
import type { SimProcess } from '../kernel/process.ts';
import type { Scenario } from '../scenario.ts';
import type { Machine } from './machine.ts';

/** As the machine knows it. */
export const LLM_OWNER = 'LLM server';
const CALL_TIMEOUT_MS = 2_000;
const POLL_MS = 500;
const LOAD_STEPS = 4;
const LOAD_MS_MIN = 2_000;
const LOAD_MS_MAX = 20_000;
/** How long a request waits under `serving_first`, and whoever restores it. */
const WAIT_MS = 120_000;
/** Where a training is not interrupted for a request, it does not wait for memory. */
const GRANT_WAIT_MS = 1_000;
/** The lease of what was loaded is kept until it was measured so often. */
const MEASUREMENTS = 2;
const RENEWALS_PER_TTL = 3;
const RELEASE_TRIES_MAX = 3;
const CRASH_SHARE = 0.4;
const LATE_SHARE = 0.4;
const IN_PART_SHARE = 0.4;
const FALL_STEPS = 4;
const FALL_MS_MAX = 40_000;

/** JARVIS Core, as J-Prime calls it. */
export interface LeaseCalls {
  readonly core: { readonly process: SimProcess };
  requestServing(needBytes: number): string;
  leaseState(leaseId: string): LeaseState;
  renewLease(leaseId: string): 'held' | 'reclaimed';
  releaseLease(leaseId: string): true;
}

export interface LlmOptions {
  readonly scenario: Scenario;
  readonly loop: EventLoop;
  readonly chance: Chance;
  readonly journal: Journal;
  readonly network: Network;
  readonly machine: Machine;
  /** J-Prime's. */
  readonly process: SimProcess;
  readonly core: () => LeaseCalls;
  readonly isLent: () => boolean;
  readonly isQuiet: () => boolean;
  readonly onCrash: (when: string) => void;
}

type LlmState = 'absent' | 'asking' | 'loading' | 'ready' | 'draining';

export class Llm {
  state: LlmState = 'absent';
  readonly #options: LlmOptions;
  #leaseId: string | null = null;
  /** The lease of what was loaded, until that was measured, whatever becomes of it meanwhile. */
  #isKept = false;
  #lastUseMs = 0;
  #heldUntilMs = -Infinity;
  #restoringUntilMs = -Infinity;
  /** What its memory does at present; a newer plan ends an older one. */
  #plan = 0;
  #course: 'grows' | 'falls' | null = null;

  constructor(options: LlmOptions) {
    this.#options = options;
  }

  get bytes(): number {
    return this.#options.machine.bytesOf(LLM_OWNER);
  }

  /** A request that is held up counts: somebody wants it. */
  get idleMs(): number {
    const { nowMs } = this.#options.loop;
    return nowMs < this.#heldUntilMs ? 0 : nowMs - this.#lastUseMs;
  }

  /** Also one that lived on and was loading when J-Prime died: it says so itself. */
  get isLoading(): boolean {
    return this.state === 'loading' || this.#course === 'grows';
  }

  boot(): void {
    const { process, scenario } = this.#options;
    process.every(scenario.leaseTtlMs / RENEWALS_PER_TTL, () => this.#renew());
    this.restore();
  }

  kill(): void {
    this.state = 'absent';
    this.#leaseId = null;
    this.#isKept = false;
    this.#heldUntilMs = -Infinity;
    if (this.#options.scenario.llmIsChild) this.#be(0);
    else if (this.bytes > 0) this.#options.journal.fault('LLM server lived on', '');
  }

  /** Somebody asks it something. */
  request(): void {
    const { loop, scenario, journal, isLent } = this.#options;
    this.#lookAgain();
    if (this.state === 'ready') {
      this.#lastUseMs = loop.nowMs;
      return;
    }
    const waits = scenario.policy === 'serving_first';
    if (!waits && (isLent() || this.state === 'draining'))
      return journal.fault('request refused', 'the memory of the LLM is lent');
    this.#heldUntilMs = loop.nowMs + (waits ? WAIT_MS : GRANT_WAIT_MS);
    this.#bring('request');
  }

  restore(): void {
    this.#restoringUntilMs = this.#options.loop.nowMs + WAIT_MS;
    this.#lookAgain();
    this.#bring('restore');
  }

  /** Ends an asking that nobody may wait for any more; false while it is being loaded. */
  callOff(): boolean {
    this.#restoringUntilMs = -Infinity;
    if (this.#options.scenario.policy !== 'serving_first') this.#heldUntilMs = -Infinity;
    return this.state !== 'loading';
  }

  /** Running requests end, then its memory falls: at once, late, or in part. `then` hears that it was given. */
  drain(afterMs: number, then: () => void): void {
    const { process, chance, isQuiet, onCrash } = this.#options;
    this.state = 'draining';
    this.#release();
    if (!isQuiet() && chance.happens(CRASH_SHARE))
      process.after(afterMs * chance.unit(), () => onCrash('while draining'));
    process.after(afterMs, () => {
      this.state = 'absent';
      this.#fall();
      then();
      // Who came meanwhile.
      if (this.#options.loop.nowMs < this.#heldUntilMs) this.#bring('request');
    });
  }

  #fall(): void {
    const { chance, isQuiet, journal, scenario } = this.#options;
    const kind = isQuiet() ? 1 : chance.unit();
    if (kind < LATE_SHARE) {
      journal.fault('memory fell late', '');
      const steps = Array.from({ length: FALL_STEPS }, (_, i) => this.bytes * (1 - (i + 1) / FALL_STEPS));
      return this.#follow('falls', steps, chance.between(0, FALL_MS_MAX) / FALL_STEPS);
    }
    if (kind >= LATE_SHARE + IN_PART_SHARE) return this.#be(0);
    journal.fault('unloaded in part', '');
    this.#be(Math.min(this.bytes, scenario.llmBytes * chance.between(0.1, 0.7)));
  }

  /** What others did to it, or what became of it while J-Prime was away. */
  #lookAgain(): void {
    if (this.state === 'absent' && this.#isLoaded) this.#becomeReady();
  }

  get #isLoaded(): boolean {
    return this.#course === null && this.bytes === this.#options.scenario.llmBytes;
  }

  #becomeReady(): void {
    this.state = 'ready';
    this.#lastUseMs = this.#options.loop.nowMs;
    this.#heldUntilMs = -Infinity;
    this.#restoringUntilMs = -Infinity;
  }

  get #isWanted(): boolean {
    const { nowMs } = this.#options.loop;
    return nowMs < this.#heldUntilMs || nowMs < this.#restoringUntilMs;
  }

  #bring(why: 'request' | 'restore'): void {
    if (this.state !== 'absent') return;
    if (this.#isKept) {
      // A holder has one lease at a time: another one asked for now would be the old one.
      this.#release();
      return this.#options.process.after(POLL_MS, () => this.#bring(why));
    }
    this.#options.journal.fault('memory asked for the LLM', `for a ${why}`);
    this.state = 'asking';
    this.#call<string>(
      'lease of the LLM',
      (core) => core.requestServing(this.#options.scenario.llmBytes),
      (leaseId) => {
        if (leaseId instanceof CodedError) return this.#giveUp();
        if (this.#leaseId === null) this.#leaseId = leaseId;
        // It was told to drain before it had an answer.
        if (this.state === 'asking') this.#untilGranted(leaseId);
        else this.#release();
      },
    );
  }

  #untilGranted(leaseId: string): void {
    if (this.state !== 'asking' || this.#leaseId !== leaseId) return;
    if (!this.#isWanted) return this.#giveUp();
    this.#call<LeaseState>(
      `state of ${leaseId}`,
      (core) => core.leaseState(leaseId),
      (state) => {
        if (this.state !== 'asking' || this.#leaseId !== leaseId) return;
        if (state === 'granted' && this.#isWanted) return this.#load();
        if (state !== 'requested' && state !== 'draining') return this.#giveUp();
        this.#options.process.after(POLL_MS, () => this.#untilGranted(leaseId));
      },
    );
  }

  #giveUp(): void {
    if (this.state !== 'asking' && this.state !== 'loading') return;
    this.state = 'absent';
    this.#release();
  }

  #load(): void {
    const { process, chance, isQuiet, onCrash, scenario } = this.#options;
    this.state = 'loading';
    const ms = chance.between(LOAD_MS_MIN, LOAD_MS_MAX);
    if (!isQuiet() && chance.happens(CRASH_SHARE))
      process.after(ms * chance.unit(), () => onCrash('while loading'));
    // One that lived on may be loading already.
    if (this.#course !== 'grows') {
      const steps = Array.from({ length: LOAD_STEPS }, (_, i) => (scenario.llmBytes * (i + 1)) / LOAD_STEPS);
      this.#follow('grows', steps, ms / LOAD_STEPS);
    }
    this.#untilLoaded();
  }

  #untilLoaded(): void {
    const { process, scenario } = this.#options;
    process.after(POLL_MS, () => {
      if (this.state !== 'loading') return;
      if (!this.#isLoaded && this.#course === 'grows') return this.#untilLoaded();
      if (!this.#isLoaded) return this.#giveUp();
      this.#becomeReady();
      this.#isKept = true;
      // Until JARVIS Core has surely measured what was loaded: else it might be given away once more.
      process.after(MEASUREMENTS * scenario.lookIntervalMs, () => this.#release());
    });
  }

  /** Its memory, by and by; it never shrinks while it grows. */
  #follow(course: 'grows' | 'falls', steps: readonly number[], everyMs: number): void {
    const plan = (this.#plan += 1);
    this.#course = course;
    const next = ([bytes, ...rest]: readonly number[]): void => {
      this.#options.loop.after(everyMs, () => {
        if (plan !== this.#plan || bytes === undefined) return;
        this.#hold(course === 'grows' ? Math.max(bytes, this.bytes) : Math.min(bytes, this.bytes));
        if (rest.length === 0) this.#course = null;
        else next(rest);
      });
    };
    next(steps);
  }

  #be(bytes: number): void {
    this.#plan += 1;
    this.#course = null;
    this.#hold(bytes);
  }

  #hold(bytes: number): void {
    this.#options.machine.hold(LLM_OWNER, Math.round(bytes));
  }

  #renew(): void {
    const leaseId = this.#leaseId;
    if (leaseId === null) return;
    this.#call(
      `renew ${leaseId}`,
      (core) => core.renewLease(leaseId),
      () => undefined,
    );
  }

  /** One that cannot be given back ends with its time. */
  #release(): void {
    const leaseId = this.#leaseId;
    this.#leaseId = null;
    this.#isKept = false;
    const again = (tries: number): void => {
      if (leaseId === null || tries === 0) return;
      this.#call<true>(
        `give back ${leaseId}`,
        (core) => core.releaseLease(leaseId),
        (answer) => {
          if (answer !== true) again(tries - 1);
        },
      );
    };
    again(RELEASE_TRIES_MAX);
  }

  #call<A>(what: string, serve: (core: LeaseCalls) => A, done: (answer: A | CodedError) => void): void {
    const { network, process } = this.#options;
    const core = this.#options.core();
    network.call<A>({
      what,
      from: process,
      to: core.core.process,
      timeoutMs: CALL_TIMEOUT_MS,
      serve: (reply) => reply(serve(core)),
      done,
    });
  }
}
