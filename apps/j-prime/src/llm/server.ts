// The one LLM server behind `/v1`: loaded when a request wants it and its memory is granted, and gone when that is wanted back.
//
//   absent -> asking -> loading -> ready -> draining -> absent
//                             \-> broken -> (backoff) -> absent        ready -> absent: it died, or others unloaded it
//
// All changes are made here, one at a time; requests come in through `enter` and `hold`.
import { CodedError, type LlmResources, type NegotiationPolicy } from '@jarvis/contracts';
import { backoffMs } from '@jarvis/policy';
import { type Clock, type Logger, type Loop, type Random, startLoop } from '@jarvis/runtime';
import { Demand } from './demand.ts';
import { type Drained, type DrainRequest, drain } from './drain.ts';
import { Elsewhere } from './elsewhere.ts';
import type { EngineLook, LlmEngine } from './engine.ts';
import { measureHeld } from './held-memory.ts';
import { Life } from './life.ts';
import { type Grant, type Memory, RETRY_AFTER_MEMORY_SECONDS, unavailable } from './memory-lease.ts';
import { type Leave, Traffic } from './traffic.ts';
import { within } from './within.ts';

const LOOK_INTERVAL_MS = 2_000;
const AWAY_PAUSE_MS = 200;
const LOOK_LIMIT_MS = 5_000;
/** Large models from a slow disk. */
const LOAD_LIMIT_MS = 600_000;
const BROKEN_DELAY_FIRST_MS = 2_000;
const BROKEN_DELAY_MAX_MS = 60_000;
/** Where a training is not interrupted for a request, memory that is not there in a second will not be there soon. */
const GRANT_WAIT_MS = 1_000;
const RETRY_AFTER_SECONDS = 5;

export interface LlmServerOptions {
  readonly engine: LlmEngine;
  readonly memory: Memory;
  readonly needBytes: (look: EngineLook) => Promise<number>;
  readonly onMeasured: (bytes: number) => Promise<void>;
  readonly policy: NegotiationPolicy;
  /** Whether memory is given away for a training. */
  readonly lent: () => boolean;
  /** JPRIME_LLM_WAIT. */
  readonly waitMs: number;
  readonly preload: boolean;
  /** After so long JARVIS Core has measured again. */
  readonly measuredAfterMs: number;
  readonly lookIntervalMs?: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

type Why = 'request' | 'restore';

export class LlmServer {
  readonly engine: LlmEngine;
  readonly #options: LlmServerOptions;
  readonly #life: Life;
  readonly #traffic: Traffic;
  readonly #demand: Demand;
  readonly #elsewhere: Elsewhere;
  readonly #stopping = new AbortController();
  #loop: Loop | null = null;
  #lastLook: EngineLook;
  #asking: AbortController | null = null;
  #bringing: Promise<void> | null = null;
  /** It is to be loaded whether a request waits for it or not. */
  #restoring = false;
  /** The `model` of the request that wants it. */
  #askedModel: string | null = null;
  /** Ends the time for which the lease of what was loaded is kept. */
  #keeping: AbortController | null = null;
  #kept: Promise<void> = Promise.resolve();
  #failures = 0;
  #retryAtMs = 0;
  readonly loads = { ready: 0, failed: 0 };

  constructor(options: LlmServerOptions) {
    const { engine, clock, logger } = options;
    this.#options = options;
    this.engine = engine;
    this.#life = new Life({ name: engine.name, clock, logger });
    this.#traffic = new Traffic(clock);
    this.#demand = new Demand(clock, () => this.#callOffUnwanted());
    this.#elsewhere = new Elsewhere(engine, this.#traffic, clock);
    this.#lastLook = {
      state: 'away',
      models: [],
      running: null,
      statedBytes: null,
      detail: 'not looked yet',
    };
  }

  get life(): Pick<Life, 'state' | 'reason' | 'since' | 'awayMs'> {
    return this.#life;
  }
  get running(): number {
    return this.#traffic.running;
  }
  get held(): number {
    return this.#demand.size;
  }
  get lastLook(): EngineLook {
    return this.#lastLook;
  }

  /** A request that is held up counts: somebody wants it. */
  idleMs(): number {
    return this.#demand.size > 0 ? 0 : this.#traffic.idleMs();
  }

  /** Looks at it, and takes over what is there already. */
  async open(): Promise<void> {
    const look = await this.#look();
    if (look.state === 'ready') this.#becomeReady('it was there already');
  }

  /** Loads it where that is wanted before the first request, and keeps looking at it. */
  start(): void {
    const { clock, logger, preload, lookIntervalMs } = this.#options;
    if (preload) this.restore();
    this.#loop = startLoop({
      name: 'look at the LLM server',
      intervalMs: lookIntervalMs ?? LOOK_INTERVAL_MS,
      clock,
      logger,
      run: () => this.#watch(),
    });
  }

  /** A place among the running requests; null while it is not ready. @throws {CodedError} `overloaded` */
  enter(): Leave | null {
    return this.#life.state === 'ready' ? this.#traffic.enter() : null;
  }

  /**
   * A place among the running requests, when it is ready; `model` is what the request names.
   * @throws {CodedError} `llm_unavailable`, `overloaded`, `service_unavailable`; `signal`'s reason when the client is gone
   */
  hold(signal: AbortSignal, model: string | null = null): Promise<Leave> {
    const refusal = this.#refusal();
    if (refusal !== null) return Promise.reject(refusal);
    if (this.#bringing === null) this.#askedModel = model;
    const leave = this.#demand.hold(
      [
        { ms: GRANT_WAIT_MS, errorOf: () => this.#noGrantYet() },
        { ms: this.#options.waitMs, errorOf: () => this.#tooLate() },
      ],
      signal,
    );
    this.#bring('request');
    return leave;
  }

  /** Loads it again, in the background and with everybody else's right to the memory. */
  restore(): void {
    const { clock, waitMs } = this.#options;
    this.#restoring = true;
    if (this.#bringing === null) this.#askedModel = null;
    void clock.sleep(waitMs, this.#stopping.signal).then(() => {
      this.#restoring = false;
      this.#callOffUnwanted();
    });
    this.#bring('restore');
  }

  /** Something went wrong at the server: whether it is still there is looked at now. */
  doubt(): void {
    this.#loop?.wake();
  }

  async drain(request: DrainRequest): Promise<Drained> {
    if (this.#life.state === 'asking' && request.idleForMs === null) {
      this.#asking?.abort();
      if (this.#options.policy !== 'serving_first') this.#demand.refuseAll(lentError());
    }
    if (request.idleForMs === null) await this.#bringing;
    this.#keeping?.abort();
    const { engine, clock, logger, onMeasured } = this.#options;
    const drained = await drain(request, {
      engine,
      clock,
      logger,
      life: this.#life,
      traffic: this.#traffic,
      idleMs: () => this.idleMs(),
      look: () => this.#look(),
      onMeasured,
      stopping: this.#stopping.signal,
    });
    this.#elsewhere.forget();
    if (this.#life.state === 'ready') this.#demand.passAll(() => this.#traffic.enter());
    else if (this.#demand.size > 0) this.#bring('request');
    return drained;
  }

  async resources(): Promise<LlmResources> {
    const { bytes, pids } = await measureHeld(this.engine, this.#lastLook);
    return {
      name: this.engine.name,
      state: this.#life.state,
      reason: this.#life.reason,
      running: this.#traffic.running,
      idle_seconds: this.idleMs() / 1000,
      busy_elsewhere: this.#traffic.busyElsewhere,
      waiting_requests: this.#demand.size,
      measured_bytes: bytes === null ? null : Math.round(bytes),
      pids: [...pids],
      ways: [...this.engine.ways],
      cannot: this.engine.cannot,
    };
  }

  /** Nobody waits any more; what runs may end. */
  refuseHeld(): void {
    this.#stopping.abort();
    this.#asking?.abort();
    this.#demand.refuseAll(
      new CodedError('service_unavailable', 'J-Prime is stopping', { retry_after_seconds: 1 }),
    );
  }

  async stop(): Promise<void> {
    this.refuseHeld();
    await this.#loop?.stop();
    await this.#bringing;
    this.#keeping?.abort();
    await this.#kept;
    await this.engine.close();
  }

  /** Why a request is not even held up. */
  #refusal(): CodedError | null {
    const { policy, lent, clock } = this.#options;
    const { state, reason } = this.#life;
    if (this.#stopping.signal.aborted)
      return new CodedError('service_unavailable', 'J-Prime is stopping', { retry_after_seconds: 1 });
    if (state === 'broken') {
      const waitMs = Math.max(0, this.#retryAtMs - clock.monotonic());
      return unavailable(`it cannot be loaded: ${reason}`, Math.max(1, Math.ceil(waitMs / 1000)));
    }
    return policy !== 'serving_first' && (lent() || state === 'draining') ? lentError() : null;
  }

  /** Only a request that waits under `serving_first` is worth a training: others leave when their memory is not free. */
  #noGrantYet(): CodedError | null {
    const { state, reason } = this.#life;
    const waits = state === 'asking' || state === 'absent';
    return this.#options.policy === 'serving_first' || !waits
      ? null
      : unavailable(`it waits for memory: ${reason}`);
  }

  #tooLate(): CodedError {
    const { state, reason } = this.#life;
    const seconds = state === 'loading' ? RETRY_AFTER_SECONDS : RETRY_AFTER_MEMORY_SECONDS;
    return unavailable(
      `it was not ready in ${this.#options.waitMs / 1000} s; it is ${state}: ${reason}`,
      seconds,
    );
  }

  #callOffUnwanted(): void {
    if (this.#demand.size === 0 && !this.#restoring) this.#asking?.abort();
  }

  #bring(why: Why): void {
    if (this.#bringing !== null || this.#life.state !== 'absent' || this.#stopping.signal.aborted) return;
    const asking = new AbortController();
    this.#asking = asking;
    this.#bringing = this.#askAndLoad(why, asking.signal)
      .catch((error: unknown) => this.#options.logger.error({ err: error }, 'could not bring the LLM server'))
      .finally(() => {
        this.#bringing = null;
        this.#asking = null;
        // Who came while it was being called off.
        if (this.#demand.size > 0 && this.#refusal() === null) this.#bring('request');
      });
  }

  async #askAndLoad(why: Why, signal: AbortSignal): Promise<void> {
    const { engine, memory, needBytes } = this.#options;
    const look = await this.#look();
    if (look.state === 'ready') return this.#becomeReady('it was there already');
    if (!engine.startsWhatIsAway && (look.state === 'away' || look.state === 'broken')) {
      const why = `${engine.name} is ${look.state}: ${look.detail}`;
      this.#life.tell(why);
      return this.#demand.refuseAll(unavailable(why, RETRY_AFTER_SECONDS));
    }
    this.#life.go('asking', `asks for memory, for a ${why}`);
    let grant: Grant;
    try {
      const onWaiting = (reason: string): void => this.#life.tell(reason);
      grant = await memory.ask({ needBytes: await needBytes(look), why, signal, onWaiting });
    } catch (error) {
      this.#life.go('absent', (error as Error).message);
      if (!signal.aborted) this.#demand.refuseAll(asUnavailable(error));
      return;
    }
    this.#asking = null;
    this.#life.go('loading', grant.reason);
    try {
      await this.#load();
    } finally {
      this.#kept = this.#keep(grant);
    }
  }

  /** Until JARVIS Core has surely measured what was loaded: else it might be given away once more. */
  async #keep(grant: Grant): Promise<void> {
    const { clock, measuredAfterMs } = this.#options;
    const keeping = new AbortController();
    this.#keeping = keeping;
    if (this.#life.state === 'ready') await clock.sleep(measuredAfterMs, keeping.signal);
    await grant.release();
  }

  async #load(): Promise<void> {
    const { engine, clock, onMeasured } = this.#options;
    const fromMs = clock.monotonic();
    try {
      await within(LOAD_LIMIT_MS, clock, this.#stopping.signal, (signal) =>
        engine.bring(signal, this.#askedModel),
      );
    } catch (error) {
      this.#break((error as Error).message);
      return;
    }
    this.loads.ready += 1;
    this.#failures = 0;
    this.#becomeReady(`loaded in ${Math.round(clock.monotonic() - fromMs)} ms`);
    // Before its lease is given back: from then on this is what counts.
    const { bytes } = await measureHeld(engine, await this.#look());
    if (bytes !== null && bytes > 0) await onMeasured(bytes);
  }

  #break(message: string): void {
    const { clock, random } = this.#options;
    this.loads.failed += 1;
    const [baseMs, maxMs] = [BROKEN_DELAY_FIRST_MS, BROKEN_DELAY_MAX_MS];
    const delayMs = baseMs / 2 + backoffMs({ attempt: this.#failures, baseMs, maxMs, unit: random.unit() });
    this.#failures += 1;
    this.#retryAtMs = clock.monotonic() + delayMs;
    this.#life.go('broken', message);
    this.#demand.refuseAll(this.#refusal() ?? unavailable(message));
    void clock.sleep(delayMs, this.#stopping.signal).then(() => {
      if (this.#stopping.signal.aborted) return;
      this.#life.go('absent', `may be tried again; before: ${message}`);
    });
  }

  #becomeReady(reason: string): void {
    this.#life.go('ready', reason);
    this.#traffic.touch();
    this.#demand.passAll(() => this.#traffic.enter());
  }

  /** Sees what others did to it, or what became of it. */
  async #watch(): Promise<void> {
    const { state, changes } = this.#life;
    if (this.#bringing !== null || (state !== 'ready' && state !== 'absent')) return;
    const look = state === 'ready' ? await this.#lookTwice() : await this.#look();
    // It changed meanwhile: what was seen is past.
    if (this.#life.changes !== changes || this.#bringing !== null) return;
    if (state === 'absent' && look.state === 'ready') this.#becomeReady('somebody else has loaded it');
    if (state === 'ready' && look.state !== 'ready' && look.state !== 'loading') {
      this.#life.go('absent', `it is ${look.state}: ${look.detail}`);
      this.#elsewhere.forget();
    } else if (this.#life.state === 'ready') await this.#elsewhere.note(look);
  }

  /** A server that is very busy may miss one look. */
  async #lookTwice(): Promise<EngineLook> {
    const look = await this.#look();
    if (look.state !== 'away') return look;
    await this.#options.clock.sleep(AWAY_PAUSE_MS, this.#stopping.signal);
    return this.#look();
  }

  async #look(): Promise<EngineLook> {
    const { engine, clock } = this.#options;
    this.#lastLook = await within(LOOK_LIMIT_MS, clock, this.#stopping.signal, (signal) =>
      engine.look(signal),
    );
    return this.#lastLook;
  }
}

function lentError(): CodedError {
  return unavailable('its memory is lent for a training; small models answer as before');
}

function asUnavailable(error: unknown): CodedError {
  return error instanceof CodedError ? error : unavailable((error as Error).message);
}
