// J-Prime: models in memory that come and go with use; asked for room it gives some, late, or none at all.
import type { MemoryView } from '@jarvis/policy';
import type { Chance } from '../kernel/chance.ts';
import type { EventLoop } from '../kernel/event-loop.ts';
import type { Journal } from '../kernel/journal.ts';
import { SimProcess } from '../kernel/process.ts';
import type { Scenario } from '../scenario.ts';
import type { Machine } from './machine.ts';

export type RoomState = 'draining' | 'done' | 'refused';

const OWNER = 'J-Prime';
/** What stays when every model is unloaded. */
const BASE_SHARE = 0.1;
const LOAD_MS = 5_000;
const QUICK_DRAIN_MS = 1_500;
const SLOW_DRAIN_MS = 90_000;
const USE_EVERY_MS = 15_000;
const SLOW_SHARE = 0.4;
const FAILED_SHARE = 0.15;

export interface PrimeOptions {
  readonly scenario: Scenario;
  readonly loop: EventLoop;
  readonly chance: Chance;
  readonly journal: Journal;
  readonly machine: Machine;
}

export class Prime {
  readonly process: SimProcess;
  /** Nobody asks it for anything: it is as obliging as it can be. */
  quiet = false;
  readonly #options: PrimeOptions;
  readonly #rooms = new Map<string, RoomState>();
  #lastUseMs = 0;
  /** People come in phases. */
  #inUse = false;

  constructor(options: PrimeOptions) {
    this.#options = options;
    this.process = new SimProcess(OWNER, options.loop);
  }

  boot(): void {
    this.process.start();
    this.process.listening = true;
    // What was draining before went with the process.
    for (const id of this.#rooms.keys()) this.#rooms.set(id, 'done');
    this.#hold(BASE_SHARE);
    this.process.after(LOAD_MS, () => this.#hold(1));
    this.process.every(USE_EVERY_MS, () => this.#beUsed());
  }

  kill(): void {
    this.process.kill();
    this.#options.machine.hold(OWNER, 0);
  }

  use(): NonNullable<MemoryView['prime']> {
    const { machine, loop } = this.#options;
    return {
      heldBytes: machine.bytesOf(OWNER),
      idleMs: loop.nowMs - this.#lastUseMs,
      activeRequests: this.#inUse ? 1 : 0,
    };
  }

  /** The same request again gets the answer of the first. */
  makeRoom(requestId: string, bytes: number): RoomState {
    const { chance, journal } = this.#options;
    const known = this.#rooms.get(requestId);
    if (known !== undefined) return known;
    if (!this.quiet && (this.#inUse || chance.happens(FAILED_SHARE))) {
      journal.fault('no room made', `J-Prime keeps what it has (${requestId})`);
      this.#rooms.set(requestId, 'refused');
      return 'refused';
    }
    const slow = !this.quiet && chance.happens(SLOW_SHARE);
    if (slow) journal.fault('room made slowly', `J-Prime drains (${requestId})`);
    this.#rooms.set(requestId, 'draining');
    this.process.after(chance.waitMs(slow ? SLOW_DRAIN_MS : QUICK_DRAIN_MS), () => {
      this.#rooms.set(requestId, 'done');
      const { scenario, machine } = this.#options;
      const share = (machine.bytesOf(OWNER) - bytes) / scenario.primeBytes;
      this.#hold(Math.max(BASE_SHARE, share));
    });
    return 'draining';
  }

  restore(): void {
    this.process.after(LOAD_MS, () => this.#hold(1));
  }

  #hold(share: number): void {
    const { machine, scenario } = this.#options;
    machine.hold(OWNER, Math.round(scenario.primeBytes * share));
  }

  #beUsed(): void {
    const { chance, loop } = this.#options;
    if (this.quiet) this.#inUse = false;
    else if (chance.happens(0.1)) this.#inUse = !this.#inUse;
    if (this.#inUse) this.#lastUseMs = loop.nowMs;
  }
}
