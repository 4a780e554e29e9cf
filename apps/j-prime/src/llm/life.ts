// In which state the LLM server is, why, and since when. Every change is logged.
import { invariant, LLM_LIFECYCLE, type LlmState, mayGo } from '@jarvis/contracts';
import { type Clock, isoNow, type Logger } from '@jarvis/runtime';

export interface LifeOptions {
  readonly name: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class Life {
  readonly #options: LifeOptions;
  #state: LlmState = 'absent';
  #reason = 'nobody has asked for it yet';
  #since: string;
  #changes = 0;
  #awayFromMs: number;
  #awayMs = 0;

  constructor(options: LifeOptions) {
    this.#options = options;
    this.#since = isoNow(options.clock);
    this.#awayFromMs = options.clock.monotonic();
  }

  get state(): LlmState {
    return this.#state;
  }
  get reason(): string {
    return this.#reason;
  }
  get since(): string {
    return this.#since;
  }
  /** How often it changed: what was seen before a change says nothing of what is after it. */
  get changes(): number {
    return this.#changes;
  }
  /** How long it was not ready, all in all. */
  get awayMs(): number {
    const now = this.#state === 'ready' ? 0 : this.#options.clock.monotonic() - this.#awayFromMs;
    return this.#awayMs + now;
  }

  go(to: LlmState, reason: string): void {
    const { name, clock, logger } = this.#options;
    const from = this.#state;
    invariant(mayGo(LLM_LIFECYCLE, from, to), `the LLM server cannot go from ${from} to ${to}`);
    if (to === 'ready') this.#awayMs = this.awayMs;
    if (from === 'ready') this.#awayFromMs = clock.monotonic();
    this.#state = to;
    this.#reason = reason;
    this.#since = isoNow(clock);
    this.#changes += 1;
    logger[to === 'broken' ? 'error' : 'info']({ llm: name, from, to }, `LLM server ${to}: ${reason}`);
  }

  /** Why it is still in that state. */
  tell(reason: string): void {
    if (reason === this.#reason) return;
    this.#reason = reason;
    this.#options.logger.info({ llm: this.#options.name }, `LLM server ${this.#state}: ${reason}`);
  }
}
