// One version in memory: where it is in its life, the requests that run on it, and its end behind the last of them.
import {
  invariant,
  mayGo,
  type ModelType,
  SERVED_VERSION_LIFECYCLE,
  type ServedVersionState,
} from '@jarvis/contracts';
import { type LoadedModel, type Prediction, sampleInput } from '@jarvis/model-kinds';

/** The first predictions of a session pay for its lazy set-up; from the third on they cost the same. */
const WARM_PREDICTIONS = 3;

export interface VersionName {
  readonly modelType: ModelType;
  readonly version: string;
  readonly digest: string;
}

export class ServedVersion {
  readonly name: VersionName;
  #state: ServedVersionState = 'absent';
  #model: LoadedModel | null = null;
  #running = 0;
  #whenIdle: (() => void) | null = null;
  #requests = 0;
  #failures = 0;
  #detail = '';

  constructor(name: VersionName) {
    this.name = name;
  }

  get state(): ServedVersionState {
    return this.#state;
  }
  get requests(): number {
    return this.#requests;
  }
  get failures(): number {
    return this.#failures;
  }
  /** Why it is broken, for a person. */
  get detail(): string {
    return this.#detail;
  }
  /** What its files hold: what unloading it may free. 0 while it is not loaded. */
  get artifactBytes(): number {
    if (this.#model === null) return 0;
    return Object.values(this.#model.manifest.files).reduce((sum, file) => sum + file.bytes, 0);
  }

  /** Loads and warms it. A throw of either leaves it broken and comes on to the caller. */
  async open(load: () => Promise<LoadedModel>): Promise<void> {
    if (this.#state === 'broken') this.#go('absent');
    this.#go('loading');
    try {
      const model = await load();
      this.#go('warming');
      await warm(model);
      this.#model = model;
    } catch (error) {
      this.#detail = (error as Error).message;
      this.#go('broken');
      throw error;
    }
    this.#detail = '';
    this.#go('ready');
  }

  /**
   * Answers one request. The model stays in memory until the answer is there, whatever becomes of this version meanwhile.
   * @throws {CodedError} `invalid_request` when the input is not one of this kind; anything else is the model's failure
   */
  async predict(input: Record<string, unknown>): Promise<Prediction> {
    const model = this.#model;
    invariant(
      model !== null && this.#state === 'ready',
      `${this.name.version} is asked while ${this.#state}`,
    );
    this.#running += 1;
    try {
      const [prediction] = await model.predict([input]);
      invariant(prediction !== undefined, 'a model answers every input');
      this.#requests += 1;
      return prediction;
    } finally {
      this.#running -= 1;
      if (this.#running === 0) this.#whenIdle?.();
    }
  }

  /** Notes a request that the model failed; how many there were. */
  countFailure(): number {
    this.#requests += 1;
    this.#failures += 1;
    return this.#failures;
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
    const model = this.#model;
    this.#model = null;
    await model?.dispose();
  }

  #go(to: ServedVersionState): void {
    invariant(
      mayGo(SERVED_VERSION_LIFECYCLE, this.#state, to),
      `${this.name.modelType} ${this.name.version} cannot go from ${this.#state} to ${to}`,
    );
    this.#state = to;
  }
}

async function warm(model: LoadedModel): Promise<void> {
  try {
    for (let i = 0; i < WARM_PREDICTIONS; i++) await model.predict([sampleInput(model.kind)]);
  } catch (error) {
    await model.dispose();
    throw error;
  }
}
