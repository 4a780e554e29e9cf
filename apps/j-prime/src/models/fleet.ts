// The versions in memory, brought in line with the routes: what is routed is loaded, what is not drains, and a version
// serves only once it is ready. Until the new stable version is ready the old one goes on answering.
// A stable version that was parked, to make room, is loaded again by the first request for it.
//
//   routes -> wanted versions -> load, warm -> serving table (swapped between two requests) -> the old drain
import type { Arm, ModelType, Route, Routes } from '@jarvis/contracts';
import type { LoadedModel } from '@jarvis/model-kinds';
import type { Clock, Logger } from '@jarvis/runtime';
import type { PlacedModel } from './placement.ts';
import { ServedVersion, type VersionName } from './served-version.ts';

/** A stable version that cannot be served is tried again so often: everybody needs it, and the files may be mended. */
const BROKEN_STABLE_RETRY_MS = 30_000;

export interface Trial {
  readonly deploymentId: string;
  readonly salt: string;
  readonly step: number;
  /** Share of the sessions, 0 to 1, that meet the candidate now; 0 while it is not ready. */
  readonly weight: number;
  /** Null while it is not ready. */
  readonly candidate: ServedVersion | null;
}

/** Who answers for a kind. An immutable value: a request takes it once and keeps it to its end. */
export interface Serving {
  readonly stable: ServedVersion;
  readonly trial: Trial | null;
}

export type Role = Arm | 'previous';

export interface FleetOptions {
  readonly load: (name: VersionName, signal: AbortSignal) => Promise<LoadedModel>;
  /** Warms a loaded model and moves it where it belongs; a throw disposes of it. */
  readonly settle: (name: VersionName, model: LoadedModel) => Promise<PlacedModel>;
  /** A candidate cannot be served; called once for each deployment. */
  readonly onCandidateBroken: (deploymentId: string, detail: string) => void;
  /** Another stable version answers from now on. */
  readonly onStable: (name: VersionName) => void;
  /** Whether a replaced stable version stays in memory for a quick rollback. */
  readonly keepsPrevious: () => boolean;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Entry {
  readonly served: ServedVersion;
  readonly leave: AbortController;
  bringing: Promise<void> | null;
}

export class Fleet {
  readonly #options: FleetOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #serving = new Map<ModelType, Serving>();
  readonly #previous = new Map<ModelType, Entry>();
  /** What answered last before a restart, for as long as the routed version is not ready. */
  readonly #standby = new Map<ModelType, VersionName>();
  /** Stable versions that are out of memory until somebody asks for them. */
  readonly #parked = new Map<ModelType, VersionName>();
  /** Parked versions that come back. */
  readonly #waking = new Map<ModelType, Promise<void>>();
  readonly #leaving = new Set<ServedVersion>();
  /** Unloading under way. */
  readonly #unloading = new Set<Promise<void>>();
  readonly #reported = new Map<ModelType, string>();
  #routes: ReadonlyMap<ModelType, Route> = new Map();

  constructor(options: FleetOptions) {
    this.#options = options;
  }

  serving(kind: ModelType): Serving | undefined {
    return this.#serving.get(kind);
  }

  /** As `serving`, where a parked version is loaded first. */
  async wake(kind: ModelType): Promise<Serving | undefined> {
    const route = this.#routes.get(kind);
    if (route !== undefined && this.#isParked(route)) {
      this.#parked.delete(kind);
      const name = stableOf(route);
      this.#want(name);
      const back = this.#entryOf(name).bringing ?? Promise.resolve();
      this.#waking.set(kind, back);
      void back.finally(() => this.#waking.delete(kind));
    }
    await this.#waking.get(kind);
    return this.#serving.get(kind);
  }

  /** The stable versions that may be parked: ready, routed, and in no rollout. */
  parkable(): ServedVersion[] {
    return [...this.#serving].flatMap(([kind, { stable, trial }]) => {
      const route = this.#routes.get(kind);
      return route !== undefined && trial === null && this.#isStable(stable.name) ? [stable] : [];
    });
  }

  /** Out of memory until somebody asks for it. What runs on it is answered; resolves when its memory is given back. */
  async park(served: ServedVersion): Promise<void> {
    const kind = served.name.modelType;
    const entry = this.#entries.get(keyOf(served.name));
    if (entry?.served !== served || this.#serving.get(kind)?.stable !== served) return;
    this.#parked.set(kind, served.name);
    this.#serving.delete(kind);
    await this.#retire(entry);
    this.#settle();
  }

  /** Before the routes are known: a version that was parked before a restart stays so. */
  keepParked(name: VersionName): void {
    this.#parked.set(name.modelType, name);
  }

  /** Loads what is parked; resolves to whether it is in memory now. */
  async unpark(name: VersionName): Promise<boolean> {
    const kind = name.modelType;
    if (keyOf(this.#parked.get(kind)) !== keyOf(name)) return false;
    return (await this.wake(kind))?.stable.state === 'ready';
  }

  /** Lets a version answer that is not routed any more, until the routed one is ready. */
  standBy(name: VersionName): void {
    this.#standby.set(name.modelType, name);
  }

  apply(routes: Routes): void {
    this.#routes = new Map(routes.routes.map((route) => [route.model_type, route]));
    for (const [kind, name] of this.#parked)
      if (!this.#isStable(name) || this.#routes.get(kind)?.candidate !== null) this.#parked.delete(kind);
    for (const route of routes.routes) {
      if (!this.#isParked(route)) this.#want(stableOf(route));
      const candidate = candidateOf(route);
      if (candidate !== null) this.#want(candidate, false);
      const standby = this.#standby.get(route.model_type);
      if (standby !== undefined) this.#want(standby, false);
    }
    this.#settle();
  }

  /** Takes a candidate that is ready out of service. */
  setAside(served: ServedVersion, detail: string): void {
    if (served.state !== 'ready') return;
    const unloaded = served.setAside(detail);
    this.#settle();
    this.#track(unloaded);
  }

  /** The replaced stable versions that are still in memory. */
  previous(): ServedVersion[] {
    return [...this.#previous.values()].map((entry) => entry.served);
  }

  /** Unloads one that is kept for a rollback only; resolves when its memory is given back. */
  async unloadPrevious(served: ServedVersion): Promise<void> {
    const entry = this.#previous.get(served.name.modelType);
    if (entry?.served !== served) return;
    this.#previous.delete(served.name.modelType);
    await this.#retire(entry);
  }

  /** Loads a version that is not routed, for a quick rollback. Resolves to whether it is in memory now. */
  async keepPrevious(name: VersionName): Promise<boolean> {
    const kind = name.modelType;
    if (this.#isRouted(name) || this.#previous.has(kind) || !this.#routes.has(kind)) return false;
    const entry = this.#entryOf(name);
    this.#previous.set(kind, entry);
    if (entry.served.state === 'absent') entry.bringing ??= this.#bring(entry);
    await entry.bringing;
    return entry.served.state === 'ready';
  }

  /** Kind -> version that answers, if need be when it is loaded again. */
  deployed(): Record<string, string> {
    const parked = [...this.#parked].map(([kind, name]) => [kind, name.version] as const);
    const serving = [...this.#serving].map(([kind, { stable }]) => [kind, stable.name.version] as const);
    return Object.fromEntries([...parked, ...serving]);
  }

  list(): { served: ServedVersion; role: Role }[] {
    const staying = [...this.#entries.values()].map((entry) => entry.served);
    return [...staying, ...this.#leaving].map((served) => ({ served, role: this.#roleOf(served) }));
  }

  /** Resolves once every routed stable version is ready, or known to be broken. */
  async firstSettled(): Promise<void> {
    for (const route of this.#routes.values()) await this.#entries.get(keyOf(stableOf(route)))?.bringing;
  }

  async stop(): Promise<void> {
    this.#routes = new Map();
    this.#standby.clear();
    this.#parked.clear();
    this.#settle();
    while (this.#unloading.size > 0) await Promise.allSettled(this.#unloading);
  }

  #want(name: VersionName, everybodyNeedsIt = true): void {
    const entry = this.#entryOf(name);
    const untried = entry.served.state === 'absent';
    const again = everybodyNeedsIt && entry.served.state === 'broken';
    if (untried || again) entry.bringing ??= this.#bring(entry);
  }

  #entryOf(name: VersionName): Entry {
    const known = this.#entries.get(keyOf(name));
    if (known !== undefined) return known;
    const served = new ServedVersion(name, this.#options.clock);
    const made: Entry = { served, leave: new AbortController(), bringing: null };
    this.#entries.set(keyOf(name), made);
    return made;
  }

  async #bring(entry: Entry): Promise<void> {
    const { served, leave } = entry;
    const { load, settle, logger, clock } = this.#options;
    try {
      const startedMs = clock.monotonic();
      await served.open({
        load: () => load(served.name, leave.signal),
        settle: (model) => settle(served.name, model),
        onBroken: (detail) => this.#broke(entry, detail),
      });
      logger.info({ ...served.name, took_ms: Math.round(clock.monotonic() - startedMs) }, 'ready');
    } catch (error) {
      if (!leave.signal.aborted) logger.error({ ...served.name, err: error }, 'cannot be served');
    }
    entry.bringing = null;
    if (leave.signal.aborted) return;
    this.#settle();
    if (served.state === 'broken' && this.#isStable(served.name)) this.#tryAgainLater(entry);
  }

  /** One that was ready answers nothing any more: the stable version, or the one before it, does. */
  #broke(entry: Entry, detail: string): void {
    const { served } = entry;
    if (served.state !== 'ready') return;
    this.#options.logger.error({ ...served.name, detail }, 'taken out of service');
    this.setAside(served, detail);
    if (this.#isStable(served.name)) this.#tryAgainLater(entry);
  }

  #tryAgainLater(entry: Entry): void {
    void this.#options.clock.sleep(BROKEN_STABLE_RETRY_MS, entry.leave.signal).then(() => {
      if (!entry.leave.signal.aborted && this.#isStable(entry.served.name)) this.#want(entry.served.name);
    });
  }

  /** Works the serving table out anew and retires what nobody needs. Synchronous: no request sees it half done. */
  #settle(): void {
    for (const route of this.#routes.values()) this.#settleKind(route);
    for (const kind of this.#serving.keys()) if (!this.#routes.has(kind)) this.#serving.delete(kind);
    for (const [kind, entry] of this.#previous) {
      const kept = this.#routes.has(kind) && this.#options.keepsPrevious() && entry.served.state !== 'broken';
      if (!kept || this.#isRouted(entry.served.name)) this.#previous.delete(kind);
    }
    for (const entry of this.#entries.values()) if (!this.#isNeeded(entry)) this.#track(this.#retire(entry));
  }

  #settleKind(route: Route): void {
    const kind = route.model_type;
    const routed = this.#entries.get(keyOf(stableOf(route)))?.served;
    const answered = this.#serving.get(kind)?.stable;
    const before = answered?.state === 'ready' ? answered : undefined;
    const stable = routed?.state === 'ready' ? routed : (before ?? this.#standIn(kind));
    this.#reportBroken(route);
    if (stable === undefined) return void this.#serving.delete(kind);
    if (stable === routed) this.#standby.delete(kind);
    this.#serving.set(kind, { stable, trial: this.#trialOf(route, stable === routed) });
    if (stable === before) return;
    const replaced = before === undefined ? undefined : this.#entries.get(keyOf(before.name));
    if (replaced !== undefined) this.#previous.set(kind, replaced);
    this.#options.onStable(stable.name);
  }

  /** A trial compares with the routed stable version: while another one stands in, everybody gets that. */
  #trialOf(route: Route, stableIsRouted: boolean): Trial | null {
    if (route.candidate === null) return null;
    const { deployment_id: deploymentId, salt, step, weight } = route.candidate;
    const served = this.#entries.get(keyOf({ ...route.candidate, modelType: route.model_type }))?.served;
    const isReady = stableIsRouted && served?.state === 'ready';
    return { deploymentId, salt, step, weight: isReady ? weight : 0, candidate: isReady ? served : null };
  }

  #reportBroken(route: Route): void {
    const candidate = candidateOf(route);
    const served = candidate === null ? undefined : this.#entries.get(keyOf(candidate))?.served;
    const deploymentId = route.candidate?.deployment_id;
    if (served?.state !== 'broken' || deploymentId === undefined) return;
    if (this.#reported.get(route.model_type) === deploymentId) return;
    this.#reported.set(route.model_type, deploymentId);
    this.#options.onCandidateBroken(deploymentId, served.detail);
  }

  /** Who may answer while neither the routed version nor the one of before can: what answered before those. */
  #standIn(kind: ModelType): ServedVersion | undefined {
    const name = this.#standby.get(kind);
    const standby = name === undefined ? undefined : this.#entries.get(keyOf(name))?.served;
    return [standby, this.#previous.get(kind)?.served].find((served) => served?.state === 'ready');
  }

  #isNeeded(entry: Entry): boolean {
    const { name } = entry.served;
    const { modelType: kind } = name;
    const isStandby = keyOf(this.#standby.get(kind)) === keyOf(name);
    const answers = this.#serving.get(kind)?.stable === entry.served;
    return this.#isRouted(name) || answers || this.#previous.get(kind) === entry || isStandby;
  }

  async #retire(entry: Entry): Promise<void> {
    this.#entries.delete(keyOf(entry.served.name));
    entry.leave.abort();
    this.#leaving.add(entry.served);
    try {
      await entry.bringing;
      if (entry.served.state !== 'absent') await entry.served.drain();
    } finally {
      this.#leaving.delete(entry.served);
    }
  }

  #track(work: Promise<void>): void {
    const tracked: Promise<void> = work
      .catch((error: unknown) => this.#options.logger.error({ err: error }, 'could not unload a version'))
      .finally(() => this.#unloading.delete(tracked));
    this.#unloading.add(tracked);
  }

  #isParked(route: Route): boolean {
    return keyOf(this.#parked.get(route.model_type)) === keyOf(stableOf(route));
  }

  #roleOf(served: ServedVersion): Role {
    const { modelType: kind } = served.name;
    if (this.#serving.get(kind)?.stable === served || this.#isStable(served.name)) return 'stable';
    return this.#isRouted(served.name) ? 'candidate' : 'previous';
  }

  #isStable(name: VersionName): boolean {
    const route = this.#routes.get(name.modelType);
    return route !== undefined && keyOf(stableOf(route)) === keyOf(name);
  }

  #isRouted(name: VersionName): boolean {
    const route = this.#routes.get(name.modelType);
    const candidate = route === undefined ? null : candidateOf(route);
    return this.#isStable(name) || (candidate !== null && keyOf(candidate) === keyOf(name));
  }
}

export function stableOf(route: Route): VersionName {
  return { modelType: route.model_type, version: route.stable.version, digest: route.stable.digest };
}

export function candidateOf(route: Route): VersionName | null {
  if (route.candidate === null) return null;
  const { version, digest } = route.candidate;
  return { modelType: route.model_type, version, digest };
}

function keyOf(name: VersionName | undefined): string {
  return name === undefined ? '' : `${name.modelType} ${name.version} ${name.digest}`;
}
