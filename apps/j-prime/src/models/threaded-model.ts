// A model in a thread of its own, started again when the thread crashes: a bounded number of times, then it is broken.
// One plain worker for each version, not a pool: a version has one session, runs one batch at a time, and its thread
// lives and dies with it.
//
//   open -> thread -> crash -> (policy: afterCrash) -> restart: runs that come meanwhile wait for it
//                                                  \-> give up: every run fails, and whoever asked to know is told
import type { LoadedModel, Prediction } from '@jarvis/model-kinds';
import { afterCrash, type CrashLimits } from '@jarvis/policy';
import type { Logger } from '@jarvis/runtime';
import { ModelCrash } from './model-crash.ts';
import { ModelThread, type ModelThreadOptions } from './model-thread.ts';

export interface ThreadedModelOptions extends ModelThreadOptions {
  readonly crashes: CrashLimits;
  readonly logger: Logger;
}

type Ready = Awaited<ReturnType<ModelThread['ready']>>;

export class ThreadedModel implements LoadedModel {
  readonly manifest;
  readonly kind;
  readonly sha256;
  /** Milliseconds of one prediction, as its thread measured them. */
  readonly costMs;
  readonly #options: ThreadedModelOptions;
  readonly #broken = Promise.withResolvers<string>();
  /** The thread that answers, once it can. */
  #thread: Promise<ModelThread>;
  #crashesMs: readonly number[] = [];
  #restarts = 0;
  #isDisposed = false;

  private constructor(options: ThreadedModelOptions, thread: ModelThread, ready: Ready) {
    this.#options = options;
    this.manifest = ready.manifest;
    this.kind = ready.modelKind;
    this.sha256 = ready.sha256;
    this.costMs = ready.costMs;
    this.#thread = Promise.resolve(thread);
    this.#follow(thread);
  }

  /** Loads, warms and measures it. @throws {ArtifactError} as `loadModel`; {ModelCrash} when its thread ends meanwhile */
  static async open(options: ThreadedModelOptions): Promise<ThreadedModel> {
    const thread = new ModelThread(options);
    return new ThreadedModel(options, thread, await thread.ready());
  }

  get restarts(): number {
    return this.#restarts;
  }

  /** Resolves with the reason once it has crashed too often; never rejects. */
  get broken(): Promise<string> {
    return this.#broken.promise;
  }

  /** @throws {ModelCrash} when its thread ends before the answer; what the model throws */
  async predict(inputs: readonly Record<string, unknown>[]): Promise<Prediction[]> {
    const thread = await this.#thread;
    return thread.predict(inputs);
  }

  async dispose(): Promise<void> {
    this.#isDisposed = true;
    await this.#thread.then(
      (thread) => thread.stop(),
      () => undefined,
    );
  }

  #follow(thread: ModelThread): void {
    void thread.ended.then((why) => {
      if (!this.#isDisposed) this.#crashed(why);
    });
  }

  #crashed(why: string): void {
    const { clock, crashes, logger, dir } = this.#options;
    const after = afterCrash(this.#crashesMs, clock.monotonic(), crashes);
    this.#crashesMs = after.crashesMs;
    logger.error(
      { dir, why, crashes: after.crashesMs.length, next: after.next },
      'the thread of a model crashed',
    );
    if (after.next === 'give up') {
      const detail = `its thread crashed ${after.crashesMs.length} times; the last time: ${why}`;
      this.#thread = Promise.reject(new ModelCrash(detail));
      this.#thread.catch(() => undefined);
      return this.#broken.resolve(detail);
    }
    this.#restarts += 1;
    const thread = new ModelThread(this.#options);
    this.#thread = thread.ready().then(() => thread);
    // What its start throws is told to the runs that wait for it; that it ended, to `follow`.
    this.#thread.catch(() => undefined);
    this.#follow(thread);
  }
}
