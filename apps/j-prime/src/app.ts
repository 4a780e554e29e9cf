// J-Prime put together: store, models in memory, routing between versions, evidence for the judge, HTTP.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { CONTRACT_VERSION, type Identity, type Outbox, type Peer } from '@jarvis/contracts';
import { ensureHome, readTrees } from '@jarvis/process';
import {
  type Clock,
  type Config,
  createHttpShell,
  createService,
  createPeerClient,
  isoNow,
  listen,
  type Logger,
  Meter,
  meterPeers,
  type Part,
  type Random,
  type Service,
  type ServiceClient,
  stopLost,
  transactionCounter,
} from '@jarvis/runtime';
import { type Database, openDatabase, takeHomeLock } from '@jarvis/store';
import { Room } from './leases/room.ts';
import type { LlmEngine } from './llm/engine.ts';
import { PassThrough } from './llm/pass-through.ts';
import type { LlmServer } from './llm/server.ts';
import { createLlmServer } from './llm/start.ts';
import { ArtifactCache } from './models/artifact-cache.ts';
import { CacheAudit } from './models/cache-audit.ts';
import { Fleet } from './models/fleet.ts';
import { Loader } from './models/loader.ts';
import { Placement, type PlacementOptions } from './models/placement.ts';
import { addInvariantRoutes } from './invariants.ts';
import { addPrimeMetrics, outboxOf } from './metrics.ts';
import { addHealthRoutes } from './protocols/health-routes.ts';
import { addInferenceV2Routes } from './protocols/inference-v2/routes.ts';
import { addMemoryRoutes } from './protocols/memory-routes.ts';
import { addOpenAiRoutes } from './protocols/openai-routes.ts';
import { addPredictRoutes } from './protocols/predict-routes.ts';
import { addRequestGate } from './protocols/request-gate.ts';
import { EvidenceRecorder } from './routing/evidence-recorder.ts';
import { startEvidenceSender } from './routing/evidence-sender.ts';
import { Predictor } from './routing/predictor.ts';
import { Shadow } from './routing/shadow.ts';
import { RouteKeeper } from './routing/route-keeper.ts';
import { followRoutes, type RouteFollower } from './routing/route-follower.ts';
import { readUnheard } from './store/outbox.ts';
import { storePlace } from './store/place.ts';

/** A version whose files cannot be had may take for ever: longer than this nobody waits for it to call J-Prime healthy. */
const STARTING_MAX_MS = 5_000;

export interface AppOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Of the LLM server that it stands in front of or runs; null: none. Called once the home is ours. */
  readonly createEngine: () => Promise<LlmEngine | null>;
  /** Another program for the threads of models, and how long it may take for a run; unset: ours. */
  readonly threads?: Pick<PlacementOptions, 'script' | 'runMsMax'>;
}

export interface JPrime extends Service {
  readonly port: number;
}

/** What all parts of this service share. */
interface Ground extends AppOptions {
  readonly meter: Meter;
  readonly identity: Identity;
  readonly startedMs: number;
  readonly folder: string;
  readonly db: Database;
  readonly reactor: ServiceClient;
  readonly core: ServiceClient;
  readonly engine: LlmEngine | null;
}

interface Serving {
  readonly audit: CacheAudit;
  readonly fleet: Fleet;
  readonly room: Room;
  readonly llm: LlmServer | null;
  readonly predictor: Predictor;
  readonly shadow: Shadow;
  readonly follower: RouteFollower;
  readonly isStarting: () => boolean;
}

/** @throws {CodedError} `service_unavailable` when the home or the port is taken; {HomeError} when the home cannot be used */
export async function startJPrime(options: AppOptions): Promise<JPrime> {
  const parts: Part[] = [];
  const service = createService(parts, options.logger);
  try {
    const ground = await openGround(options, { parts, service });
    const serving = await startServing(ground, parts);
    const port = await serveHttp(ground, serving, { parts, service });
    options.logger.info({ port, home: options.config.home }, 'J-Prime is ready');
    return { ...service, port };
  } catch (error) {
    await service.stop();
    throw error;
  }
}

async function openGround(options: AppOptions, { parts, service }: Life): Promise<Ground> {
  const { config, clock, random, logger } = options;
  const startedMs = clock.monotonic();
  const home = await ensureHome(config.home, () => random.id('home').slice('home-'.length));
  const folder = config.paths.prime;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const lock = takeHomeLock(join(folder, 'lock.db'), 'J-Prime');
  parts.push({ name: 'home lock', stop: async () => lock.release() });
  const onLost = (): void => stopLost(service, logger);
  const meter = new Meter();
  const db = await openDatabase({
    ...storePlace(config),
    clock,
    random,
    log: logger,
    onLost,
    onTransaction: transactionCounter(meter),
  });
  parts.push({ name: 'store', stop: () => db.close() });
  const reactor = createPeerClient('Reactor Core', 'reactor-core', { config, clock, meter });
  parts.push({ name: 'calls to Reactor Core', stop: () => reactor.close() });
  const core = createPeerClient('JARVIS Core', 'jarvis-core', { config, clock, meter });
  parts.push({ name: 'calls to JARVIS Core', stop: () => core.close() });
  const identity: Identity = {
    service: 'j-prime',
    instance_id: random.id('prime'),
    home_id: home.homeId,
    pid: process.pid,
    started_at: isoNow(clock),
    contract_version: CONTRACT_VERSION,
  };
  const engine = await options.createEngine();
  return { ...options, meter, identity, startedMs, folder, db, reactor, core, engine };
}

async function startEvidence(ground: Ground, parts: Part[]): Promise<EvidenceRecorder> {
  const { config, clock, random, logger, db, reactor } = ground;
  const intervalMs = config.env.EVIDENCE_FLUSH_INTERVAL * 1000;
  const heard = async (): Promise<void> => recorder.heard(await readUnheard(db));
  const recorder = new EvidenceRecorder({
    db,
    clock,
    random,
    logger,
    flushIntervalMs: intervalMs,
    onStored: () => sender.wake(),
  });
  const sender = startEvidenceSender({ db, reactor, intervalMs, clock, logger, onDelivered: heard });
  parts.push({ name: 'evidence sender', stop: () => sender.stop() });
  parts.push({ name: 'evidence recorder', stop: () => recorder.stop() });
  await heard();
  return recorder;
}

async function startServing(ground: Ground, parts: Part[]): Promise<Serving> {
  const { config, clock, random, logger, db, reactor, folder, engine } = ground;
  const evidence = await startEvidence(ground, parts);
  const cache = new ArtifactCache({
    folder: join(folder, 'artifacts'),
    clock,
    random,
    fetch: (sha256) => reactor.bytes(`/api/artifacts/${sha256}`, { once: true }),
  });
  await cache.open();
  const placement = new Placement({
    mode: config.env.JPRIME_WORKER_THREADS,
    clock,
    logger,
    ...ground.threads,
  });
  const loader = new Loader({ cache, placement, clock, random, logger });
  const previous = (): string[] => fleet.previous().map((served) => served.name.digest);
  const keeper = new RouteKeeper({ db, cache, logger, previous });
  const fleet: Fleet = new Fleet({
    clock,
    logger,
    load: (name, signal) => loader.load(name, signal),
    settle: (name, model) => loader.settle(name, model),
    onCandidateBroken: (deploymentId, detail) =>
      void evidence
        .broken(deploymentId, detail)
        .catch((error: unknown) => logger.error({ err: error, deploymentId }, 'cannot store evidence')),
    onStable: (name) => keeper.noteStable(name),
    keepsPrevious: () => !room.lent,
  });
  const share = config.env.ROLLOUT_SHADOW_SHARE;
  const shadow = new Shadow({ evidence, share, clock, random, logger });
  const predictor = new Predictor({ fleet, evidence, shadow, clock, random, logger });
  const lent = (): boolean => room.lent;
  const llm = engine === null ? null : createLlmServer({ ...ground, engine, lent });
  const room: Room = new Room({
    db,
    fleet,
    llm,
    idleMsOf: (kind) => predictor.idleMsOf(kind),
    idleAfterMs: config.env.JPRIME_IDLE_SECONDS * 1000,
    clock,
    logger,
    measureBytes: async () => (await measure(engine)).ownBytes,
  });
  if (llm !== null) parts.push({ name: 'LLM server', stop: () => llm.stop() });
  await llm?.open();
  await room.open();
  llm?.start();
  await keeper.resume(fleet);
  const follower = followRoutes({
    url: `${config.urls['reactor-core']}/api/routes/stream`,
    token: config.env.JARVIS_API_TOKEN,
    clock,
    random,
    logger,
    onRoutes: async (routes) => {
      loader.wake();
      fleet.apply(routes);
      await keeper.noteRoutes(routes);
    },
  });
  parts.push({ name: 'models', stop: () => fleet.stop() });
  parts.push({ name: 'route keeper', stop: () => keeper.stop() });
  parts.push({ name: 'room in memory', stop: () => room.stop() });
  parts.push({ name: 'route follower', stop: () => follower.stop() });
  return {
    audit: new CacheAudit(cache),
    fleet,
    room,
    llm,
    predictor,
    shadow,
    follower,
    isStarting: startingUntilSettled(fleet, clock),
  };
}

/** This process and its children, the LLM server apart; and together with it, wherever it runs. */
async function measure(engine: LlmEngine | null): Promise<{ ownBytes: number; allBytes: number }> {
  const trees = await readTrees([process.pid, ...((await engine?.pids()) ?? [])]);
  const allBytes = [...trees.values()].reduce((sum, tree) => sum + tree.pss_bytes, 0);
  return { ownBytes: trees.get(process.pid)?.pss_bytes ?? 0, allBytes };
}

function startingUntilSettled(fleet: Fleet, clock: Clock): () => boolean {
  let starting = true;
  const settled = new AbortController();
  const limit = clock.sleep(STARTING_MAX_MS, settled.signal);
  void Promise.race([fleet.firstSettled(), limit]).then(() => {
    starting = false;
    settled.abort();
  });
  return () => starting;
}

interface Life {
  readonly parts: Part[];
  readonly service: Service;
}

async function serveHttp(ground: Ground, serving: Serving, { parts, service }: Life): Promise<number> {
  const { config, clock, logger, meter, db, identity, startedMs, engine } = ground;
  const { env } = config;
  const { fleet, llm, follower, predictor, isStarting } = serving;
  const server = await createHttpShell({
    identity,
    title: 'J-Prime',
    logger,
    meter,
    bodyLimitBytes: env.HTTP_BODY_LIMIT_MB * 1024 ** 2,
    host: env.JARVIS_PRIME_HOST,
    token: env.JARVIS_API_TOKEN,
  });
  const gate = addRequestGate(server, clock);
  // The stream of routes is what is followed all the time; calls are few.
  const reactor = (): Peer => ({ ...ground.reactor.reachability(), ...follower.reachability() });
  const outbox = (): Promise<Outbox> => outboxOf(db, clock);
  addHealthRoutes(server, { identity, startedMs, clock, fleet, llm, isStarting, reactor, outbox });
  addPrimeMetrics({ ...serving, meter, outbox });
  meterPeers(meter, () => ({ 'reactor-core': reactor() }));
  addInvariantRoutes(server, { ...serving, db });
  addPredictRoutes(server, predictor);
  addMemoryRoutes(server, { ...serving, measureBytes: async () => (await measure(engine)).allBytes });
  await addInferenceV2Routes(server, { fleet, predictor, identity, isStarting });
  const bodyLimitBytes = env.HTTP_BODY_LIMIT_MB * 1024 ** 2;
  const passThrough = llm === null ? null : new PassThrough({ server: llm, bodyLimitBytes, logger });
  await addOpenAiRoutes(server, llm === null || passThrough === null ? null : { server: llm, passThrough });
  server.post(
    '/api/shutdown',
    { schema: { summary: 'Stop this service; running requests are answered first' } },
    async (_req, reply) => {
      setImmediate(() => void service.stop());
      return reply.code(202).send({ status: 'stopping' });
    },
  );
  parts.push({ name: 'HTTP', stop: () => server.close() });
  if (passThrough !== null) parts.push({ name: 'requests to the LLM', stop: () => passThrough.close() });
  parts.push({ name: 'running requests', stop: () => gate.close() });
  if (llm !== null) parts.push({ name: 'requests held for the LLM', stop: async () => llm.refuseHeld() });
  return listen(server, {
    port: env.JARVIS_PRIME_PORT,
    host: env.JARVIS_PRIME_HOST,
    service: 'J-Prime (JARVIS_PRIME_PORT)',
  });
}
