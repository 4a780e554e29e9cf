// Calls between processes. Every request and every reply may be lost, late, told twice, or overtaken; whoever called
// hears one answer or, after its time limit, that there was none.
import { CodedError } from '@jarvis/contracts';
import type { Chance } from './chance.ts';
import type { EventLoop } from './event-loop.ts';
import type { Journal } from './journal.ts';
import type { SimProcess } from './process.ts';

const LATENCY_MS_MIN = 1;
const LATENCY_MS_MAX = 8;
const LATE_MS_MAX = 45_000;

export interface NetworkOptions {
  readonly loop: EventLoop;
  readonly chance: Chance;
  readonly journal: Journal;
}

export interface Call<A> {
  readonly what: string;
  readonly from: SimProcess;
  readonly to: SimProcess;
  readonly timeoutMs: number;
  /** Runs at the one who is called; may answer later, or throw a CodedError. */
  readonly serve: (reply: (answer: A) => void, refuse: (error: CodedError) => void) => void;
  readonly done: (answer: A | CodedError) => void;
}

export class Network {
  /** Probability of each mishap for one message. */
  mishap = 0;
  readonly #cut = new Set<string>();
  readonly #lastArrivalMs = new Map<string, number>();
  readonly #options: NetworkOptions;

  constructor(options: NetworkOptions) {
    this.#options = options;
  }

  cut(a: SimProcess, b: SimProcess): void {
    this.#cut.add(pair(a, b));
  }

  mend(a: SimProcess, b: SimProcess): void {
    this.#cut.delete(pair(a, b));
  }

  isCut(a: SimProcess, b: SimProcess): boolean {
    return this.#cut.has(pair(a, b));
  }

  call<A>(call: Call<A>): void {
    const { from } = call;
    let open = true;
    const settle = (answer: A | CodedError): void => {
      if (!open) return;
      open = false;
      call.done(answer);
    };
    const toCaller = from.bound(settle);
    from.after(call.timeoutMs, () => {
      if (open) settle(away(call, 'it did not answer in time'));
    });
    this.#send(call, 'request', () => this.#arrive(call, toCaller));
  }

  #arrive<A>(call: Call<A>, toCaller: (answer: A | CodedError) => void): void {
    const { to } = call;
    if (!to.up || !to.listening) {
      this.#options.loop.after(LATENCY_MS_MIN, () => toCaller(away(call, 'connection refused')));
      return;
    }
    const back = (answer: A | CodedError): void => this.#send(call, 'reply', () => toCaller(answer));
    to.bound(() => {
      try {
        call.serve(back, back);
      } catch (error) {
        if (!(error instanceof CodedError)) throw error;
        back(error);
      }
    })();
  }

  /** One message; what becomes of it is decided here. */
  #send<A>(call: Call<A>, kind: 'request' | 'reply', deliver: () => void): void {
    const { chance, journal } = this.#options;
    const { what, from, to } = call;
    const link = kind === 'request' ? `${from.name}>${to.name}` : `${to.name}>${from.name}`;
    const arrive = (): void => {
      if (!this.isCut(from, to)) deliver();
    };
    if (this.isCut(from, to)) return;
    if (this.mishap === 0 || !chance.happens(4 * this.mishap)) {
      this.#deliver(link, chance.between(LATENCY_MS_MIN, LATENCY_MS_MAX), arrive);
      return;
    }
    switch (chance.whole(0, 3)) {
      case 0:
        journal.fault(`${kind} lost`, `${what}, ${link}`);
        return;
      case 1:
        journal.fault(`${kind} late`, `${what}, ${link}`);
        this.#deliver(link, chance.between(500, LATE_MS_MAX), arrive);
        return;
      case 2:
        journal.fault(`${kind} told twice`, `${what}, ${link}`);
        this.#deliver(link, chance.between(LATENCY_MS_MIN, LATENCY_MS_MAX), arrive);
        this.#deliver(link, chance.waitMs(3_000), arrive);
        return;
      default:
        // Held back a little, so that what is sent next overtakes it.
        this.#deliver(link, chance.between(50, 500), arrive);
    }
  }

  #deliver(link: string, latencyMs: number, arrive: () => void): void {
    const { loop, journal } = this.#options;
    const atMs = loop.nowMs + latencyMs;
    const lastMs = this.#lastArrivalMs.get(link) ?? 0;
    if (atMs < lastMs) journal.fault('overtaken', link);
    this.#lastArrivalMs.set(link, Math.max(atMs, lastMs));
    loop.after(latencyMs, arrive);
  }
}

function away<A>(call: Call<A>, why: string): CodedError {
  return new CodedError('service_unavailable', `${call.to.name} is away: ${why}`);
}

function pair(a: SimProcess, b: SimProcess): string {
  return a.name < b.name ? `${a.name} ${b.name}` : `${b.name} ${a.name}`;
}
