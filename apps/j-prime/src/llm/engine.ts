// What stands behind `/v1`: a program that J-Prime runs, or a server that was there before it. One interface for both.

/**
 * How memory is given back, the cheapest first: `sleep` keeps the process and is quick to end, `unload` drops the model,
 * `stop` ends the process.
 */
export type ReleaseWay = 'sleep' | 'unload' | 'stop';

/** `away`: nobody answers. `broken`: it answers, or has ended, with something that does not mend itself. */
export type EngineState = 'away' | 'loading' | 'ready' | 'asleep' | 'unloaded' | 'broken';

export interface EngineLook {
  readonly state: EngineState;
  /** Names under which it would answer. */
  readonly models: readonly string[];
  /** Requests that it works on by its own count; null where it does not tell. */
  readonly running: number | null;
  /** What the model takes, as the server says; null where it does not tell. */
  readonly statedBytes: number | null;
  /** For a person. */
  readonly detail: string;
}

export interface LlmEngine {
  /** For a person: `ollama at http://127.0.0.1:11434`. */
  readonly name: string;
  /** Cheapest first; empty where it can give nothing back, and then `cannot` says why. */
  readonly ways: readonly ReleaseWay[];
  readonly cannot: string | null;
  /** Where requests in the manner of OpenAI go (without `/v1`); null while nothing runs that could answer. */
  baseUrl(): string | null;
  /** The key that the server asks for; null where it asks for none. */
  readonly apiKey: string | null;
  /** Whether `bring` starts it where nobody answers; else memory for it is not even asked for. */
  readonly startsWhatIsAway: boolean;
  /** Never wakes a sleeper, never throws: an error is a state. */
  look(signal: AbortSignal): Promise<EngineLook>;
  /**
   * Resolves when a look confirms it, not when the server has merely answered.
   * @throws {CodedError} `llm_unavailable`
   */
  release(way: ReleaseWay, signal: AbortSignal): Promise<void>;
  /**
   * Loads, wakes or starts; resolves when it answers requests. `asked`: the `model` that the request for it names.
   * @throws {CodedError} `llm_unavailable`
   */
  bring(signal: AbortSignal, asked?: string | null): Promise<void>;
  /** Roots of the process trees that hold its memory on this machine; empty where that is not known. */
  pids(): Promise<readonly number[]>;
  /** Ends what J-Prime started, and nothing else. */
  close(): Promise<void>;
}
