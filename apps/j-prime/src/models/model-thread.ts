// One thread with one model in it, seen from the event loop: started, asked, ended. Whatever ends it unasked is a crash:
// an uncaught error, process.exit, a heap over its limit, a run over its time. A crash of the native library is none of
// these: it takes the process with it.
import { Worker } from 'node:worker_threads';
import { CodedError, ERROR_CODES, type ErrorCode } from '@jarvis/contracts';
import { ArtifactError, type ArtifactErrorCode, type Prediction } from '@jarvis/model-kinds';
import type { Clock } from '@jarvis/runtime';
import { THREAD_HEAP_MB_MAX, THREAD_STOP_MS_MAX } from './limits.ts';
import { ModelCrash } from './model-crash.ts';
import type { FromThread, ThreadData, ThreadError, ToThread } from './model-messages.ts';

type Ready = Extract<FromThread, { kind: 'ready' }>;
type Input = Record<string, unknown>;

export interface ModelThreadOptions extends ThreadData {
  /** The program of the thread. */
  readonly script: URL;
  /** A run that takes longer is a crash. */
  readonly runMsMax: number;
  readonly clock: Clock;
}

interface Run {
  readonly startedMs: number;
  readonly resolve: (predictions: Prediction[]) => void;
  readonly reject: (error: unknown) => void;
}

export class ModelThread {
  readonly #options: ModelThreadOptions;
  readonly #worker: Worker;
  readonly #ready = Promise.withResolvers<Ready>();
  readonly #ended = Promise.withResolvers<string>();
  readonly #runs = new Map<number, Run>();
  readonly #over = new AbortController();
  #lastId = 0;
  #watched = false;

  constructor(options: ModelThreadOptions) {
    this.#options = options;
    const workerData: ThreadData = { dir: options.dir, sha256: options.sha256 };
    this.#worker = new Worker(options.script, {
      workerData,
      resourceLimits: { maxOldGenerationSizeMb: THREAD_HEAP_MB_MAX },
    });
    this.#worker.on('message', (message: FromThread) => this.#hear(message));
    this.#worker.on('error', (error) => this.#end((error as Error).message));
    this.#worker.on('exit', (code) => this.#end(`it ended with code ${code}`));
    // Whoever waits for it is told; nobody has to.
    this.#ready.promise.catch(() => undefined);
  }

  /** @throws {ArtifactError} as loading the model does; {ModelCrash}; what the model threw at its first predictions */
  ready(): Promise<Ready> {
    return this.#ready.promise;
  }

  /** Resolves with the reason once it is gone; never rejects. */
  get ended(): Promise<string> {
    return this.#ended.promise;
  }

  /** @throws {ModelCrash} when the thread ends first; else what the model throws, by message and code */
  predict(inputs: readonly Input[]): Promise<Prediction[]> {
    if (this.#over.signal.aborted) throw new ModelCrash('the thread of this model has ended');
    const { clock, runMsMax } = this.#options;
    const id = (this.#lastId += 1);
    const startedMs = clock.monotonic();
    const run = Promise.withResolvers<Prediction[]>();
    this.#runs.set(id, { startedMs, resolve: run.resolve, reject: run.reject });
    this.#post({ kind: 'run', id, inputs });
    if (!this.#watched) void this.#watch(runMsMax);
    return run.promise;
  }

  /** Ends it once its runs are answered; after a while all the same. */
  async stop(): Promise<void> {
    const limit = new AbortController();
    if (!this.#over.signal.aborted) this.#post({ kind: 'stop' });
    await Promise.race([this.ended, this.#options.clock.sleep(THREAD_STOP_MS_MAX, limit.signal)]);
    limit.abort();
    this.#end('it was stopped');
  }

  #post(message: ToThread): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    this.#worker.postMessage(message);
  }

  #hear(message: FromThread): void {
    if (message.kind === 'ready') return this.#ready.resolve(message);
    if (message.kind === 'refused') return this.#ready.reject(errorOf(message.error));
    const run = this.#runs.get(message.id);
    if (run === undefined) return;
    this.#runs.delete(message.id);
    if (message.kind === 'answered') run.resolve([...message.predictions]);
    else run.reject(errorOf(message.error));
  }

  /** One timer for all runs: asleep until the oldest is over its time, if it is still there then. */
  async #watch(forMs: number): Promise<void> {
    const { clock, runMsMax } = this.#options;
    this.#watched = true;
    await clock.sleep(forMs, this.#over.signal);
    this.#watched = false;
    const [oldest] = this.#runs.values();
    if (oldest === undefined) return;
    const leftMs = oldest.startedMs + runMsMax - clock.monotonic();
    if (leftMs > 0) return this.#watch(leftMs);
    this.#end(`a run took longer than ${runMsMax} ms`);
  }

  /** A blocked native call cannot be ended: what is left of it is left to itself. */
  #end(why: string): void {
    if (this.#over.signal.aborted) return;
    this.#over.abort();
    const crash = new ModelCrash(`the thread of this model has ended: ${why}`);
    this.#ready.reject(crash);
    for (const run of this.#runs.values()) run.reject(crash);
    this.#runs.clear();
    this.#ended.resolve(why);
    this.#worker.unref();
    void this.#worker.terminate();
  }
}

const ARTIFACT_CODES: Readonly<Record<ArtifactErrorCode, true>> = {
  artifact_corrupt: true,
  artifact_unreadable: true,
  artifact_unsupported: true,
};

function errorOf({ message, code }: ThreadError): Error {
  if (code !== null && code in ARTIFACT_CODES) return new ArtifactError(code as ArtifactErrorCode, message);
  if (code !== null && code in ERROR_CODES) return new CodedError(code as ErrorCode, message);
  return new Error(message);
}
