// Where a model runs: on the event loop, or in a thread of its own when a prediction costs too much for that.
//
//   opened on the loop -> warmed, measured -> cheap: stays
//                                          \-> costly: opened in a thread, measured there again -> the loop's copy goes
//
// Measured anew, because on a busy loop the clock also sees the work of others: what proves cheap after all stays where
// it was. A model that is not to run on the loop is never opened there.
import type { WorkerThreadMode } from '@jarvis/contracts';
import { type LoadedModel, loadModel } from '@jarvis/model-kinds';
import { type ModelPlace, placeOf } from '@jarvis/policy';
import type { Clock, Logger } from '@jarvis/runtime';
import { LOOP_COST_MS_MAX, THREAD_RESTARTS, THREAD_RUN_MS_MAX } from './limits.ts';
import { measureCost } from './measure-cost.ts';
import { ThreadedModel } from './threaded-model.ts';

export interface PlacementOptions {
  readonly mode: WorkerThreadMode;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The program of a model's thread; unset: ours. */
  readonly script?: URL;
  /** Of one run in a thread; unset: ours. */
  readonly runMsMax?: number;
}

/** A model that is warm, and where. */
export interface PlacedModel {
  readonly model: LoadedModel;
  readonly place: ModelPlace;
  /** Milliseconds of one prediction. */
  readonly costMs: number;
  readonly thread: ThreadedModel | null;
}

const SCRIPT = new URL('./model-worker.ts', import.meta.url);

export class Placement {
  readonly #options: PlacementOptions;

  constructor(options: PlacementOptions) {
    this.#options = options;
  }

  /** Opens the artifact in a folder. @throws {ArtifactError} as `loadModel`; {ModelCrash} */
  open(dir: string, sha256: string): Promise<LoadedModel> {
    return this.#options.mode === 'always' ? this.#inThread(dir, sha256) : loadModel(dir, { sha256 });
  }

  /** Warms an opened model, and moves it where it belongs. A throw disposes of it. */
  async settle(model: LoadedModel, dir: string): Promise<PlacedModel> {
    if (model instanceof ThreadedModel) return placedInThread(model);
    let thread: ThreadedModel | null = null;
    try {
      const costMs = await measureCost(model, () => this.#options.clock.monotonic());
      if (this.#placeOf(costMs) === 'loop') return { model, place: 'loop', costMs, thread: null };
      thread = await this.#inThread(dir, model.sha256);
    } catch (error) {
      await model.dispose();
      throw error;
    }
    const isCheapAfterAll = this.#placeOf(thread.costMs) === 'loop';
    await (isCheapAfterAll ? thread : model).dispose();
    return isCheapAfterAll
      ? { model, place: 'loop', costMs: thread.costMs, thread: null }
      : placedInThread(thread);
  }

  #placeOf(costMs: number): ModelPlace {
    return placeOf(this.#options.mode, costMs, LOOP_COST_MS_MAX);
  }

  #inThread(dir: string, sha256: string): Promise<ThreadedModel> {
    const { clock, logger, script = SCRIPT, runMsMax = THREAD_RUN_MS_MAX } = this.#options;
    return ThreadedModel.open({ dir, sha256, script, runMsMax, clock, logger, crashes: THREAD_RESTARTS });
  }
}

function placedInThread(thread: ThreadedModel): PlacedModel {
  return { model: thread, place: 'thread', costMs: thread.costMs, thread };
}
