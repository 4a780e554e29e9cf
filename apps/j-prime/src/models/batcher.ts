// The predictions that wait for one model: what comes while a run is under way is joined into the next one.
//
//   input -> queue -> (policy: nextBatch) -> one run of the model -> each its answer
//
// A run that fails says nothing about who of it is to blame: each of its inputs is tried once more, alone. A crash of the
// thread it ran in is not tried again, for the same input would bring the next one down.
import { type Arm, CodedError, invariant } from '@jarvis/contracts';
import type { Prediction } from '@jarvis/model-kinds';
import { type BatchLimits, nextBatch } from '@jarvis/policy';
import type { Clock } from '@jarvis/runtime';
import { PREDICTIONS_PER_KIND_MAX } from './limits.ts';
import { ModelCrash } from './model-crash.ts';

type Input = Record<string, unknown>;

interface Waiting {
  readonly input: Input;
  readonly arm: Arm;
  readonly cameMs: number;
  readonly resolve: (prediction: Prediction) => void;
  readonly reject: (error: unknown) => void;
}

export interface BatcherOptions {
  readonly run: (inputs: readonly Input[]) => Promise<Prediction[]>;
  readonly limits: BatchLimits;
  readonly clock: Clock;
  /** A run begins, for so many inputs. */
  readonly onRun: (arm: Arm, inputs: number) => void;
}

export class Batcher {
  readonly #options: BatcherOptions;
  /** The oldest first. */
  #queue: Waiting[] = [];
  #isRunning = false;
  #isTimed = false;

  constructor(options: BatcherOptions) {
    this.#options = options;
  }

  /** Inputs that wait for a run. */
  get waiting(): number {
    return this.#queue.length;
  }

  /** @param input one that the model takes: it was parsed before. @throws {CodedError} `overloaded`; else what the model throws */
  predict(input: Input, arm: Arm): Promise<Prediction> {
    if (this.#queue.length >= PREDICTIONS_PER_KIND_MAX)
      throw new CodedError('overloaded', `${this.#queue.length} predictions wait for this model: try again`, {
        retry_after_seconds: 1,
      });
    return new Promise((resolve, reject) => {
      this.#queue.push({ input, arm, cameMs: this.#options.clock.monotonic(), resolve, reject });
      this.#next();
    });
  }

  #next(): void {
    const { limits, clock } = this.#options;
    const oldestMs = this.#queue[0]?.cameMs ?? 0;
    const queue = { waiting: this.#queue.length, oldestMs, isRunning: this.#isRunning };
    const step = nextBatch(queue, limits, clock.monotonic());
    if (step.kind === 'run') void this.#run(this.#queue.splice(0, step.inputs));
    else if (step.kind === 'wait') this.#lookAgain(step.forMs);
  }

  #lookAgain(forMs: number): void {
    if (this.#isTimed) return;
    this.#isTimed = true;
    void this.#options.clock.sleep(forMs).then(() => {
      this.#isTimed = false;
      this.#next();
    });
  }

  async #run(batch: readonly Waiting[]): Promise<void> {
    this.#isRunning = true;
    const failure = await this.#answer(batch);
    if (failure !== null)
      for (const one of batch) {
        const isFinal = batch.length === 1 || failure.error instanceof ModelCrash;
        const last = isFinal ? failure : await this.#answer([one]);
        if (last !== null) one.reject(last.error);
      }
    this.#isRunning = false;
    this.#next();
  }

  /** Runs them together and answers all of them, or none. */
  async #answer(batch: readonly Waiting[]): Promise<{ error: unknown } | null> {
    const { run, onRun } = this.#options;
    onRun(batch[0]?.arm ?? 'stable', batch.length);
    try {
      const predictions = await run(batch.map(({ input }) => input));
      invariant(predictions.length === batch.length, 'a model answers every input');
      for (const [i, { resolve }] of batch.entries()) resolve(predictions[i] as Prediction);
      return null;
    } catch (error) {
      return { error };
    }
  }
}
