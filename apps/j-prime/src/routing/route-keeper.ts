// What J-Prime remembers of the routes, so that a restart serves from this disk while Reactor Core is away.
import type { Routes } from '@jarvis/contracts';
import type { Logger } from '@jarvis/runtime';
import type { Database } from '@jarvis/store';
import type { ArtifactCache } from '../models/artifact-cache.ts';
import { candidateOf, type Fleet, stableOf } from '../models/fleet.ts';
import type { VersionName } from '../models/served-version.ts';
import { knownRoutes, lastServed, saveLastServed, saveRoutes } from '../store/routes.ts';

export interface RouteKeeperOptions {
  readonly db: Database;
  readonly cache: ArtifactCache;
  /** Digests of what is in memory: a rollback may want their files soon. */
  readonly inMemory: () => readonly string[];
  readonly logger: Logger;
}

export class RouteKeeper {
  readonly #options: RouteKeeperOptions;
  #routed: ReadonlySet<string> = new Set();
  #tail: Promise<void> = Promise.resolve();

  constructor(options: RouteKeeperOptions) {
    this.#options = options;
  }

  /** Goes on with the last known routes. Where the files of a routed version are not here, what served last stands in. */
  async resume(fleet: Fleet): Promise<void> {
    const { db, cache } = this.#options;
    const routes = await knownRoutes(db);
    if (routes === null) return;
    this.#routed = digestsOf(routes);
    const served = await lastServed(db);
    for (const route of routes.routes) {
      const last = served.find((name) => name.modelType === route.model_type);
      const isMissing = !(await cache.has(route.stable.digest));
      if (last !== undefined && isMissing && (await cache.has(last.digest))) fleet.standBy(last);
    }
    fleet.apply(routes);
  }

  /** Stores the routes. A disk that is full keeps nobody from being served, so a failure is only logged. */
  noteRoutes(routes: Routes): Promise<void> {
    this.#routed = digestsOf(routes);
    return this.#enqueue(() => saveRoutes(this.#options.db, routes));
  }

  noteStable(name: VersionName): void {
    void this.#enqueue(async () => {
      const { db, cache, inMemory } = this.#options;
      await saveLastServed(db, name);
      await cache.prune(new Set([...this.#routed, ...inMemory()]));
    });
  }

  stop(): Promise<void> {
    return this.#tail;
  }

  #enqueue(work: () => Promise<void>): Promise<void> {
    this.#tail = this.#tail
      .then(work)
      .catch((error: unknown) => this.#options.logger.error({ err: error }, 'cannot remember the routes'));
    return this.#tail;
  }
}

function digestsOf(routes: Routes): Set<string> {
  const names = routes.routes.flatMap((route) => [stableOf(route), candidateOf(route)]);
  return new Set(names.flatMap((name) => (name === null ? [] : [name.digest])));
}
