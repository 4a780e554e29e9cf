// J-Prime: small models that stay, an LLM that comes and goes (llm.ts); asked for room it gives some, late, in part, or
// none at all. Whether its memory is lent is stored, and outlives it.
import type { MemoryView } from '@jarvis/policy';
import { SimProcess } from '../kernel/process.ts';
import { Llm, type LlmOptions } from './llm.ts';

export type RoomState = 'draining' | 'done' | 'refused';

const OWNER = 'J-Prime';
const LOAD_MS = 2_000;
const QUICK_DRAIN_MS = 1_500;
const SLOW_DRAIN_MS = 90_000;
const USE_EVERY_MS = 15_000;
const PHASE_SHARE = 0.2;
const SLOW_SHARE = 0.4;
const FAILED_SHARE = 0.15;
const LOADING_POLL_MS = 1_000;

export type PrimeOptions = Omit<LlmOptions, 'process' | 'isLent' | 'isQuiet'>;

export class Prime {
  readonly process: SimProcess;
  readonly llm: Llm;
  /** Nobody asks it for anything: it is as obliging as it can be. */
  quiet = false;
  readonly #options: PrimeOptions;
  readonly #rooms = new Map<string, RoomState>();
  #lent = false;
  /** People come in phases. */
  #inUse = false;

  constructor(options: PrimeOptions) {
    this.#options = options;
    this.process = new SimProcess(OWNER, options.loop);
    this.llm = new Llm({
      ...options,
      process: this.process,
      isLent: () => this.#lent,
      isQuiet: () => this.quiet,
    });
  }

  boot(): void {
    const { machine, scenario } = this.#options;
    this.process.start();
    this.process.listening = true;
    // What was draining before went with the process.
    for (const id of this.#rooms.keys()) this.#rooms.set(id, 'done');
    this.process.after(LOAD_MS, () => machine.hold(OWNER, scenario.smallBytes));
    this.process.every(USE_EVERY_MS, () => this.#beUsed());
    this.llm.boot();
  }

  kill(): void {
    this.process.kill();
    this.#options.machine.hold(OWNER, 0);
    this.llm.kill();
  }

  /** Of its own tree. */
  get smallBytes(): number {
    return this.#options.machine.bytesOf(OWNER);
  }

  use(): NonNullable<MemoryView['prime']> {
    return {
      heldBytes: this.smallBytes + this.llm.bytes,
      idleMs: this.llm.idleMs,
      activeRequests: this.#inUse ? 1 : 0,
      isLoading: this.llm.isLoading,
    };
  }

  /** The same request again gets the answer of the first. */
  makeRoom(requestId: string): RoomState {
    const { chance, journal, scenario } = this.#options;
    const known = this.#rooms.get(requestId);
    if (known !== undefined) return known;
    const isForced = scenario.policy === 'training_first';
    if (isForced && !this.llm.callOff()) return this.#whenLoaded(requestId);
    const stays = this.#whatStays(isForced) ?? (this.#fails(chance) ? 'it cannot' : null);
    if (stays !== null) {
      journal.fault('no room made', `${stays} (${requestId})`);
      this.#rooms.set(requestId, 'refused');
      return 'refused';
    }
    const slow = !this.quiet && chance.happens(SLOW_SHARE);
    if (slow) journal.fault('room made slowly', `J-Prime drains (${requestId})`);
    this.#rooms.set(requestId, 'draining');
    this.#lent = true;
    this.llm.drain(chance.waitMs(slow ? SLOW_DRAIN_MS : QUICK_DRAIN_MS), () =>
      this.#rooms.set(requestId, 'done'),
    );
    return 'draining';
  }

  restore(): void {
    if (!this.#lent) return;
    this.#lent = false;
    this.llm.restore();
  }

  #fails(chance: PrimeOptions['chance']): boolean {
    return !this.quiet && chance.happens(FAILED_SHARE);
  }

  #whatStays(isForced: boolean): string | null {
    const { state, bytes, idleMs } = this.llm;
    if (state === 'draining' || state === 'loading') return `the LLM is ${state}`;
    if (state === 'asking' && !isForced) return 'the LLM asks for memory';
    if (bytes === 0) return 'the LLM holds nothing';
    if (isForced || state === 'absent') return null;
    return idleMs < this.#options.scenario.primeIdleMs ? 'the LLM is in use' : null;
  }

  #whenLoaded(requestId: string): RoomState {
    this.#rooms.set(requestId, 'draining');
    const poll = (): void =>
      this.process.after(LOADING_POLL_MS, () => {
        if (this.llm.state === 'loading') return poll();
        this.#rooms.delete(requestId);
        this.makeRoom(requestId);
      });
    poll();
    return 'draining';
  }

  #beUsed(): void {
    const { chance } = this.#options;
    if (this.quiet) this.#inUse = false;
    else if (chance.happens(PHASE_SHARE)) this.#inUse = !this.#inUse;
    if (this.#inUse) this.llm.request();
  }
}
