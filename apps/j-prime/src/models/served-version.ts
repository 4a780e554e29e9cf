// One version in memory: where it is in its life, the requests that run on it, and its end behind the last of them.
import {
  type Arm,
  invariant,
  isCodedError,
  mayGo,
  type ModelType,
  SERVED_VERSION_LIFECYCLE,
  type ServedVersionState,
} from '@jarvis/contracts';
import { type LoadedModel, parseInput, type Prediction } from '@jarvis/model-kinds';
import { inputsPerRun } from '@jarvis/policy';
import type { Clock } from '@jarvis/runtime';
import { Batcher } from './batcher.ts';
import { BATCH_DELAY_MS, BATCH_INPUTS_MAX, RUN_MS_MAX } from './limits.ts';
import type { PlacedModel } from './placement.ts';
import { ServingFigures } from './serving-figures.ts';

export interface VersionName {
  readonly modelType: ModelType;
  readonly version: string;
  readonly digest: string;
}

/** How a version comes into memory. */
export interface Opening {
  load(): Promise<LoadedModel>;
  /** Warms it and moves it where it belongs; a throw disposes of it. */
  settle(model: LoadedModel): Promise<PlacedModel>;
  /** It was ready, and cannot answer any more. */
  onBroken(detail: string): void;
}

interface InMemory extends PlacedModel {
  readonly batcher: Batcher;
}

export class ServedVersion {
  readonly name: VersionName;
  readonly figures = new ServingFigures();
  readonly #clock: Clock;
  #state: ServedVersionState = 'absent';
  #memory: InMemory | null = null;
  #running = 0;
  #whenIdle: (() => void) | null = null;
  #detail = '';

  constructor(name: VersionName, clock: Clock) {
    this.name = name;
    this.#clock = clock;
  }

  get state(): ServedVersionState {
    return this.#state;
  }
  get requests(): number {
    return this.figures.sum('requests');
  }
  get failures(): number {
    return this.figures.sum('failures');
  }
  /** Why it is broken, for a person. */
  get detail(): string {
    return this.#detail;
  }
  /** Predictions that wait for a run. */
  get waiting(): number {
    return this.#memory?.batcher.waiting ?? 0;
  }
  /** Where it runs and what that costs; null while it is not loaded. */
  get placed(): PlacedModel | null {
    return this.#memory;
  }
  /** What its files hold: what unloading it may free. 0 while it is not loaded. */
  get artifactBytes(): number {
    if (this.#memory === null) return 0;
    return Object.values(this.#memory.model.manifest.files).reduce((sum, file) => sum + file.bytes, 0);
  }

  /** Loads and warms it. A throw of either leaves it broken and comes on to the caller. */
  async open(opening: Opening): Promise<void> {
    if (this.#state === 'broken') this.#go('absent');
    this.#go('loading');
    try {
      const model = await opening.load();
      this.#go('warming');
      const placed = await opening.settle(model);
      this.#memory = { ...placed, batcher: this.#batcherOf(placed) };
      void placed.thread?.broken.then((detail) => {
        if (this.#state === 'ready' && this.#memory?.model === placed.model) opening.onBroken(detail);
      });
    } catch (error) {
      this.#detail = (error as Error).message;
      this.#go('broken');
      throw error;
    }
    this.#detail = '';
    this.#go('ready');
  }

  /**
   * Answers one request, in a run with others that wait. The model stays in memory until the answer is there, whatever
   * becomes of this version meanwhile.
   * @throws {CodedError} `invalid_request` when the input is not one of this kind, `overloaded`; anything else is the model's failure
   */
  async predict(input: Record<string, unknown>, arm: Arm): Promise<Prediction> {
    const memory = this.#memory;
    invariant(
      memory !== null && this.#state === 'ready',
      `${this.name.version} is asked while ${this.#state}`,
    );
    // Before it joins others: a bad input fails nobody else.
    const parsed = parseInput(this.name.modelType, input);
    const askedMs = this.#clock.monotonic();
    this.#running += 1;
    try {
      const prediction = await memory.batcher.predict(parsed, arm);
      this.figures.noteAnswer(arm, this.#clock.monotonic() - askedMs, false);
      return prediction;
    } catch (error) {
      const isOurs = isCodedError(error, 'invalid_request') || isCodedError(error, 'overloaded');
      if (!isOurs) this.figures.noteAnswer(arm, this.#clock.monotonic() - askedMs, true);
      throw error;
    } finally {
      this.#running -= 1;
      if (this.#running === 0) this.#whenIdle?.();
    }
  }

  /** Takes a version that is ready out of service for good: what runs on it ends, nothing new starts. */
  async setAside(detail: string): Promise<void> {
    this.#detail = detail;
    this.#go('broken');
    await this.#unload();
  }

  /** Frees the memory once the last running request is answered. */
  async drain(): Promise<void> {
    if (this.#state === 'broken') return this.#go('absent');
    this.#go('draining');
    await this.#unload();
    this.#go('absent');
  }

  async #unload(): Promise<void> {
    if (this.#running > 0) await new Promise<void>((resolve) => (this.#whenIdle = resolve));
    this.#whenIdle = null;
    const memory = this.#memory;
    this.#memory = null;
    await memory?.model.dispose();
  }

  #batcherOf({ model, place, costMs }: PlacedModel): Batcher {
    const bound = { costMs, runMsMax: RUN_MS_MAX[place], inputsMax: BATCH_INPUTS_MAX };
    return new Batcher({
      run: (inputs) => model.predict(inputs),
      limits: { inputsMax: inputsPerRun(bound), delayMs: BATCH_DELAY_MS },
      clock: this.#clock,
      onRun: (arm, inputs) => this.figures.noteRun(arm, inputs),
    });
  }

  #go(to: ServedVersionState): void {
    invariant(
      mayGo(SERVED_VERSION_LIFECYCLE, this.#state, to),
      `${this.name.modelType} ${this.name.version} cannot go from ${this.#state} to ${to}`,
    );
    this.#state = to;
  }
}
