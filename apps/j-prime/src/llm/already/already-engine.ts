// An LLM server that was there before J-Prime: looked at, asked to give its memory back and to come back, by its own API.
//
//   unknown -> (its answers are looked at) -> an adapter of its kind; unknown again when those answers fit no more
//
// What a call answers counts for nothing: what the next looks see does. None of its processes is started or ended here.
import { CodedError, invariant, type LlmServerKind } from '@jarvis/contracts';
import type { Clock, Logger } from '@jarvis/runtime';
import type { EngineLook, LlmEngine, ReleaseWay } from '../engine.ts';
import type { Adapter, MakeAdapter, Sight } from './adapter.ts';
import { CallFailed, Calls, type CallsOptions } from './calls.ts';
import { guessKind } from './guess-kind.ts';
import { HeldBy } from './held-by.ts';
import { createLlamaServer } from './servers/llama-server.ts';
import { createLlamaSwap } from './servers/llama-swap.ts';
import { createLmStudio } from './servers/lm-studio.ts';
import { createLocalAi } from './servers/localai.ts';
import { createOllama } from './servers/ollama.ts';
import { createVllm } from './servers/vllm.ts';
import { modelsToBring } from './which-models.ts';

export interface AlreadyEngineOptions {
  /** JPRIME_LLM_URL; a `/v1` at its end is left out. */
  readonly url: string;
  /** null: guessed. */
  readonly kind: LlmServerKind | null;
  readonly apiKey: string | null;
  readonly isMemoryUnified: boolean;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Limits of its calls, for tests. */
  readonly calls?: Partial<CallsOptions>;
}

const ADAPTERS: Readonly<Record<LlmServerKind, MakeAdapter>> = {
  ollama: createOllama,
  'llama-swap': createLlamaSwap,
  vllm: createVllm,
  'llama-server': createLlamaServer,
  'lm-studio': createLmStudio,
  localai: createLocalAi,
};
/** A model of some GB is gone in less; its server is not bothered more often. */
const POLL_MS = 250;
/** A busy server answers late: so many late answers in a row are no sign that it is gone. */
const LATE_LOOKS_MAX = 2;
const LOADING_STATUS = 503;
const RETRY_AFTER_SECONDS = 5;

type Seen = { readonly sight: Sight } | { readonly sight: null; readonly look: EngineLook };

/** Looks at it once; a server that is not there yet is looked for again with every look. */
export async function createAlreadyEngine(options: AlreadyEngineOptions): Promise<LlmEngine> {
  const engine = new AlreadyEngine(options);
  const { state, detail } = await engine.look(new AbortController().signal);
  options.logger.info({ llm: engine.name, state, detail }, 'an LLM server that is there already');
  return engine;
}

class AlreadyEngine implements LlmEngine {
  readonly apiKey: string | null;
  readonly startsWhatIsAway = false;
  readonly #options: AlreadyEngineOptions;
  readonly #calls: Calls;
  readonly #heldBy: HeldBy;
  #adapter: Adapter | null;
  #last: Sight | null = null;
  #lateLooks = 0;
  #remembered: readonly string[] = [];

  constructor(options: AlreadyEngineOptions) {
    this.#options = options;
    this.apiKey = options.apiKey;
    const baseUrl = options.url.replace(/\/+$/, '').replace(/\/v1$/, '');
    this.#calls = new Calls({ ...options.calls, baseUrl, apiKey: options.apiKey });
    this.#heldBy = new HeldBy(baseUrl);
    this.#adapter = options.kind === null ? null : this.#make(options.kind);
  }

  get name(): string {
    return `${this.#adapter?.kind ?? 'LLM server'} at ${this.#calls.baseUrl}`;
  }
  get ways(): readonly ReleaseWay[] {
    const way = this.#last?.way ?? null;
    return way === null ? [] : [way];
  }
  get cannot(): string | null {
    return this.#last === null
      ? 'it was not seen yet, so that what it can do is not known'
      : this.#last.cannot;
  }
  baseUrl(): string {
    return this.#calls.baseUrl;
  }
  pids(): Promise<readonly number[]> {
    return this.#heldBy.pids();
  }
  /** Nothing of it is ours. */
  async close(): Promise<void> {}

  async look(signal: AbortSignal): Promise<EngineLook> {
    const seen = await this.#see(signal);
    if (seen.sight === null) return seen.look;
    const { state, listed, running, statedBytes, detail } = seen.sight;
    return { state, models: listed, running, statedBytes, detail };
  }

  async release(way: ReleaseWay, signal: AbortSignal): Promise<void> {
    const { adapter, sight } = await this.#mustSee(signal);
    invariant(way === sight.way, `${adapter.kind} gives memory back by ${sight.way}`);
    await this.#ask(() => adapter.release(sight, signal), signal);
    const { detail } = await this.#until(
      (now) => now.loaded.length === 0 && now.state !== 'loading',
      `it still does not say that its memory is given back`,
      signal,
    );
    this.#options.logger.info({ llm: this.name, way, detail }, 'the LLM server says that it gave back');
  }

  async bring(signal: AbortSignal, asked: string | null = null): Promise<void> {
    const { adapter, sight } = await this.#mustSee(signal);
    if (sight.state === 'ready') return;
    const models = modelsToBring({ asked, remembered: this.#remembered, listed: sight.listed });
    if (models.length === 0) throw this.#unavailable('it has no model that could be loaded');
    if (sight.state !== 'loading') await this.#ask(() => adapter.bring(sight, models, signal), signal);
    await this.#until((now) => now.state === 'ready', 'it is not ready', signal);
  }

  /** An answer that fails to come is no answer: what became of it is seen afterwards. */
  async #ask(act: () => Promise<void>, signal: AbortSignal): Promise<void> {
    try {
      await act();
    } catch (error) {
      if (!(error instanceof CallFailed)) throw error;
      if (error.kind !== 'silent' || signal.aborted) throw this.#unavailable(error.message);
    }
  }

  async #until(holds: (sight: Sight) => boolean, still: string, signal: AbortSignal): Promise<Sight> {
    for (let detail = 'nothing was seen of it'; ;) {
      const seen = await this.#see(signal);
      if (seen.sight !== null && this.#lateLooks === 0 && holds(seen.sight)) return seen.sight;
      // A look that was called off has seen nothing.
      if (!signal.aborted) ({ detail } = seen.sight ?? seen.look);
      if (seen.sight === null && seen.look.state === 'broken' && !signal.aborted)
        throw this.#unavailable(detail);
      await this.#options.clock.sleep(POLL_MS, signal);
      if (signal.aborted) throw this.#unavailable(`${still}: ${detail}`);
    }
  }

  async #mustSee(signal: AbortSignal): Promise<{ adapter: Adapter; sight: Sight }> {
    const seen = await this.#see(signal);
    if (seen.sight === null || this.#adapter === null)
      throw this.#unavailable(seen.sight === null ? seen.look.detail : 'what it is is not known');
    return { adapter: this.#adapter, sight: seen.sight };
  }

  /** Never throws. */
  async #see(signal: AbortSignal): Promise<Seen> {
    if (this.#adapter === null) {
      const guess = await guessKind(this.#calls, signal);
      if (guess.kind === null) return blind(guess.state, guess.why);
      this.#adapter = this.#make(guess.kind);
      this.#options.logger.info({ llm: this.name }, `the LLM server answers as ${guess.kind} does`);
    }
    try {
      const sight = await this.#adapter.look(signal);
      this.#lateLooks = 0;
      this.#last = sight;
      if (sight.loaded.length > 0) this.#remembered = sight.loaded;
      return { sight };
    } catch (error) {
      return this.#understand(error, this.#adapter.kind);
    }
  }

  #understand(error: unknown, kind: LlmServerKind): Seen {
    const { message } = error as Error;
    if (!(error instanceof CallFailed)) return blind('broken', message);
    if (error.kind === 'late' && this.#last !== null && this.#lateLooks < LATE_LOOKS_MAX) {
      this.#lateLooks += 1;
      return { sight: { ...this.#last, detail: `busy: ${message}` } };
    }
    if (error.kind === 'silent' || error.kind === 'late' || error.kind === 'called off')
      return blind('away', message);
    if (error.kind === 'denied')
      return blind('broken', `${message}; JPRIME_LLM_API_KEY is the key that is sent`);
    if (error.status === LOADING_STATUS) return blind('loading', message);
    // Another server may have taken the place of the one that was guessed.
    if (this.#options.kind === null) this.#adapter = null;
    return blind('broken', `it does not answer as ${kind} does (JPRIME_LLM_KIND): ${message}`);
  }

  #make(kind: LlmServerKind): Adapter {
    return ADAPTERS[kind]({ calls: this.#calls, isMemoryUnified: this.#options.isMemoryUnified });
  }

  #unavailable(why: string): CodedError {
    return new CodedError('llm_unavailable', `${this.name}: ${why}`, {
      retry_after_seconds: RETRY_AFTER_SECONDS,
    });
  }
}

function blind(state: EngineLook['state'], detail: string): Seen {
  return { sight: null, look: { state, models: [], running: null, statedBytes: null, detail } };
}
