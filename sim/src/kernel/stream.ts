// A stream of numbered events over the network: in order while the connection holds; it may break at any item, and the
// reader notices that at once or only when nothing has come for a while.
import type { Network } from './network.ts';
import type { Chance } from './chance.ts';
import type { EventLoop } from './event-loop.ts';
import type { Journal } from './journal.ts';
import type { SimProcess } from './process.ts';

/** After so long the reader looks whether anybody is still there. */
const WATCHDOG_MS = 7_000;
const LATENCY_MS_MAX = 20;

export interface StreamItem {
  readonly seq: number;
  readonly event: string;
  readonly data: Readonly<Record<string, unknown>>;
}

export interface StreamOptions {
  readonly loop: EventLoop;
  readonly network: Network;
  readonly chance: Chance;
  readonly journal: Journal;
  readonly reader: SimProcess;
  readonly teller: SimProcess;
  readonly what: string;
  readonly onItem: (item: StreamItem) => void;
  readonly onBroken: () => void;
}

export class Stream {
  open = true;
  #lastArrivalMs = 0;
  /** Something was said while nobody could hear it. */
  #unheard = false;
  readonly #options: StreamOptions;
  readonly #tellerGeneration: number;
  readonly #hear: (item: StreamItem) => void;

  constructor(options: StreamOptions) {
    this.#options = options;
    this.#tellerGeneration = options.teller.generation;
    this.#hear = options.reader.bound((item: StreamItem) => {
      if (this.open) options.onItem(item);
    });
    this.#watch();
  }

  /** By the reader. */
  close(): void {
    this.open = false;
  }

  /** By the teller; false when nobody reads any more. */
  push(item: StreamItem): boolean {
    const { loop, network, chance, journal, what } = this.#options;
    if (!this.open) return false;
    if (this.#isCut()) {
      this.#unheard = true;
      return false;
    }
    if (chance.happens(network.mishap)) {
      journal.fault('stream broken', what);
      this.#break();
      return false;
    }
    const arrivalMs = Math.max(this.#lastArrivalMs, loop.nowMs + chance.between(1, LATENCY_MS_MAX));
    this.#lastArrivalMs = arrivalMs;
    loop.after(arrivalMs - loop.nowMs, () => this.#hear(item));
    if (chance.happens(network.mishap)) {
      journal.fault('event told twice', `${what}, number ${item.seq}`);
      loop.after(arrivalMs - loop.nowMs + chance.waitMs(2_000), () => this.#hear(item));
    }
    return true;
  }

  #isCut(): boolean {
    const { network, reader, teller } = this.#options;
    return teller.generation !== this.#tellerGeneration || network.isCut(reader, teller);
  }

  #break(): void {
    if (!this.open) return;
    this.open = false;
    this.#options.reader.after(1, this.#options.onBroken);
  }

  #watch(): void {
    const { reader } = this.#options;
    reader.after(WATCHDOG_MS, () => {
      if (!this.open) return;
      if (this.#unheard || this.#isCut()) this.#break();
      else this.#watch();
    });
  }
}
