// From a digest to a model in memory: out of the cache, or fetched first, for as long as Reactor Core is away.
import { isCodedError } from '@jarvis/contracts';
import { ArtifactError, type LoadedModel } from '@jarvis/model-kinds';
import { backoffMs } from '@jarvis/policy';
import type { Clock, Logger, Random } from '@jarvis/runtime';
import type { ArtifactCache } from './artifact-cache.ts';
import type { PlacedModel, Placement } from './placement.ts';
import type { VersionName } from './served-version.ts';

const RETRY_DELAY_FIRST_MS = 100;
const RETRY_DELAY_MAX_MS = 5_000;

export interface LoaderOptions {
  readonly cache: ArtifactCache;
  readonly placement: Placement;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export class Loader {
  readonly #options: LoaderOptions;
  #waiting = new AbortController();

  constructor(options: LoaderOptions) {
    this.#options = options;
  }

  /** Whoever waits to try again tries now. */
  wake(): void {
    this.#waiting.abort();
    this.#waiting = new AbortController();
  }

  /**
   * Loads a version, trying again while its files cannot be had.
   * @throws {ArtifactError} when it cannot be served; `not_found` when nobody has it; `signal`'s reason when called off
   */
  async load(name: VersionName, signal: AbortSignal): Promise<LoadedModel> {
    const { clock, random, logger } = this.#options;
    for (let attempt = 0; ; attempt++) {
      signal.throwIfAborted();
      try {
        return await unlessCalledOff(this.#loadOnce(name), signal);
      } catch (error) {
        if (isFinal(error) || signal.aborted) throw error;
        logger.warn({ ...name, err: error }, 'cannot load now; trying again');
      }
      const delay = { baseMs: RETRY_DELAY_FIRST_MS, maxMs: RETRY_DELAY_MAX_MS, unit: random.unit() };
      await clock.sleep(backoffMs({ ...delay, attempt }), AbortSignal.any([signal, this.#waiting.signal]));
    }
  }

  /** Warms what was loaded and moves it where it belongs. @throws what the model throws; it is disposed of then */
  settle(name: VersionName, model: LoadedModel): Promise<PlacedModel> {
    return this.#options.placement.settle(model, this.#options.cache.pathOf(name.digest));
  }

  async #loadOnce(name: VersionName): Promise<LoadedModel> {
    const { cache, logger } = this.#options;
    if (await cache.has(name.digest)) {
      try {
        return await this.#open(name);
      } catch (error) {
        if (!(error instanceof ArtifactError) || error.code === 'artifact_unsupported') throw error;
        logger.warn({ ...name, err: error }, 'the cached artifact is damaged; fetching it again');
        await cache.discard(name.digest);
      }
    }
    await cache.fetch(name.digest);
    return this.#open(name);
  }

  async #open({ modelType, digest }: VersionName): Promise<LoadedModel> {
    const { cache, placement } = this.#options;
    const model = await placement.open(cache.pathOf(digest), digest);
    if (model.kind !== modelType) {
      await model.dispose();
      throw new ArtifactError(
        'artifact_unsupported',
        `it is a model of kind ${model.kind}, not ${modelType}`,
      );
    }
    await cache.touch(digest);
    return model;
  }
}

/** The model, or `signal`'s reason at once: a load that comes to its end all the same is thrown away. */
async function unlessCalledOff(loading: Promise<LoadedModel>, signal: AbortSignal): Promise<LoadedModel> {
  const calledOff = Promise.withResolvers<never>();
  const callOff = (): void => {
    calledOff.reject(signal.reason);
    void loading.then((model) => model.dispose()).catch(() => undefined);
  };
  signal.addEventListener('abort', callOff, { once: true });
  try {
    return await Promise.race([loading, calledOff.promise]);
  } finally {
    signal.removeEventListener('abort', callOff);
  }
}

/** What no other try can mend. A full disk or a Reactor Core that is away says nothing against the version. */
function isFinal(error: unknown): boolean {
  return error instanceof ArtifactError || isCodedError(error, 'not_found');
}
