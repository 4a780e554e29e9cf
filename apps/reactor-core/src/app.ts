// Reactor Core put together: store, runs and their upkeep, registry, deployments and their judge, HTTP.
import { join } from 'node:path';
import { CONTRACT_VERSION, healthSchema, type Identity } from '@jarvis/contracts';
import { ensureHome } from '@jarvis/process';
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
  startLoop,
} from '@jarvis/runtime';
import { z } from 'zod';
import { Deployments } from './deployments/deployments.ts';
import { Gates } from './deployments/gates.ts';
import { addDeploymentRoutes } from './deployments/http.ts';
import { Routing } from './deployments/routing.ts';
import { createLocalExecutor } from './executors/local.ts';
import { MemoryGroups } from './executors/memory-groups.ts';
import { addHealthRoutes } from './health.ts';
import { addInvariantRoutes } from './invariants.ts';
import { addReactorMetrics } from './metrics.ts';
import { Blobs } from './registry/blobs.ts';
import { addExchangeRoutes } from './registry/exchange.ts';
import { addRegistryRoutes } from './registry/http.ts';
import { Importing } from './registry/importing.ts';
import { startKeeping } from './registry/keeping.ts';
import { adoptRuns } from './runs/adoption.ts';
import { Finishing } from './runs/finishing.ts';
import { addTrainingRoutes } from './runs/http.ts';
import { Launching } from './runs/launching.ts';
import { LiveRuns } from './runs/live-runs.ts';
import { MemoryWatch } from './runs/memory-watch.ts';
import { RunFolder } from './runs/run-folder.ts';
import { RunStream } from './runs/run-stream.ts';
import { SlotBroker } from './runs/slot-broker.ts';
import { Starting } from './runs/starting.ts';
import { Stopping } from './runs/stopping.ts';
import { startUpkeep, type Upkeep } from './runs/upkeep.ts';
import { openStore, type Store } from './store/open.ts';

const PEER_PROBE_MS = 1_000;
const PEER_PROBE_UNSEEN_MS = 100;
const PEER_PROBE_TIMEOUT_MS = 2_000;

export interface AppOptions {
  readonly config: Config;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

interface Ground extends AppOptions {
  readonly meter: Meter;
  readonly store: Store;
  readonly core: ServiceClient;
  readonly identity: Identity;
  readonly startedMs: number;
  readonly folder: RunFolder;
  readonly blobs: Blobs;
}

export async function startReactorCore(options: AppOptions): Promise<Service> {
  const parts: Part[] = [];
  const service = createService(parts, options.logger);
  try {
    const ground = await openGround(options, { parts, service });
    const { deployments, routing } = startDeployments(ground, parts);
    const runs = await startRuns(ground, deployments, parts);
    await serve(ground, { ...runs, deployments, routing, service, parts });
    return service;
  } catch (error) {
    await service.stop();
    throw error;
  }
}

interface Life {
  readonly parts: Part[];
  readonly service: Service;
}

async function openGround(options: AppOptions, life: Life): Promise<Ground> {
  const { parts } = life;
  const { config, clock, random } = options;
  const { paths } = config;
  const startedMs = clock.monotonic();
  const home = await ensureHome(config.home, () => random.id('home').slice('home-'.length));
  const meter = new Meter();
  const store = await openStore({ ...options, meter }, life);
  const core = createPeerClient('JARVIS Core', 'jarvis-core', { config, clock, meter });
  parts.push({ name: 'calls to JARVIS Core', stop: () => core.close() });
  const identity: Identity = {
    service: 'reactor-core',
    instance_id: random.id('reactor'),
    home_id: home.homeId,
    pid: process.pid,
    started_at: isoNow(clock),
    contract_version: CONTRACT_VERSION,
  };
  return {
    ...options,
    meter,
    store,
    core,
    identity,
    startedMs,
    folder: new RunFolder(paths.runs),
    blobs: new Blobs(paths.registry, random),
  };
}

function startDeployments(ground: Ground, parts: Part[]): { deployments: Deployments; routing: Routing } {
  const { store, clock, random, logger, config, blobs, folder } = ground;
  const routing = new Routing({ ...store, clock });
  const intervalMs = config.env.ROLLOUT_CHECK_INTERVAL * 1000;
  const deployments = new Deployments({
    db: store.db,
    clock,
    random,
    logger,
    env: config.env,
    routing,
    onChange: () => wake(),
  });
  const gates = new Gates({
    db: store.db,
    clock,
    logger,
    blobs,
    folder,
    begin: (tx, through) => deployments.begin(tx, through),
    onEnd: () => wake(),
  });
  const judge = startLoop({
    name: 'judge',
    intervalMs,
    clock,
    logger,
    run: () => deployments.look(),
  });
  const gatekeeper = startLoop({
    name: 'gatekeeper',
    intervalMs,
    clock,
    logger,
    run: () => gates.look(),
  });
  const wake = (): void => {
    judge.wake();
    gatekeeper.wake();
  };
  parts.push({ name: 'offline gates', stop: () => gates.stop() });
  parts.push({ name: 'gatekeeper', stop: () => gatekeeper.stop() });
  parts.push({ name: 'judge', stop: () => judge.stop() });
  return { deployments, routing };
}

interface Runs {
  readonly starting: Starting;
  readonly stopping: Stopping;
}

async function startRuns(ground: Ground, deployments: Deployments, parts: Part[]): Promise<Runs> {
  const { store, clock, logger, config, environment, core, identity, folder } = ground;
  const { env, paths, urls } = config;
  const { db, events } = store;
  const stream = new RunStream(events, clock);
  const executor = createLocalExecutor({ env, environment });
  let upkeep: Upkeep | undefined;
  const keeping = startKeeping({ db, clock, logger, blobs: ground.blobs, kept: env.MODEL_VERSIONS_KEPT });
  parts.push({ name: 'retention of versions', stop: () => keeping.stop() });
  const onEnd = (): void => {
    upkeep?.wake();
    keeping.wake();
  };
  const live = new LiveRuns({ folder, clock, logger, onEnd });
  const groups = new MemoryGroups({ homeId: identity.home_id, folder: config.home });
  parts.push({ name: 'live runs', stop: () => live.leaveAll() });
  const broker = new SlotBroker({ core, slots: env.MAX_CONCURRENT_TRAINING_JOBS, clock, logger });
  const stopGraceMs = env.TRAINER_STOP_GRACE * 1000;
  const memory = new MemoryWatch({ db, clock, logger, live, groups, stopGraceMs });
  const finishing = makeFinishing(ground, stream, deployments);
  const launching = new Launching({
    db,
    stream,
    clock,
    logger,
    folder,
    executor,
    live,
    finishing,
    groups,
    memory,
    limited: env.TRAINER_MEMORY_LIMIT,
    checkpointsKept: env.CHECKPOINTS_KEPT,
    orphanGraceSeconds: env.TRAINER_ORPHAN_GRACE,
    silenceLimitSeconds: env.TRAINER_SILENCE_LIMIT,
    stopGraceMs,
  });
  const datasets = {
    dataFolder: paths.data,
    gatePercent: env.TRAINING_GATE_PERCENT,
    token: env.JARVIS_API_TOKEN,
    trustedOrigin: new URL(urls['jarvis-core']).origin,
  };
  const starting = new Starting({
    db,
    stream,
    clock,
    logger,
    folder,
    executor,
    live,
    launching,
    broker,
    datasets,
    slots: env.MAX_CONCURRENT_TRAINING_JOBS,
    checkpointInterval: env.CHECKPOINT_INTERVAL_EPOCHS,
    stopGraceMs,
  });
  const stopping = new Stopping({ db, stream, clock, live, starting, stopGraceMs });
  await adoptRuns({ db, logger, folder, executor, live, launching, stopGraceMs, ownPid: process.pid });
  await groups.removeOthers(live.all().map(({ run }) => run));
  const watch = memory.start();
  parts.push({ name: 'memory of trainers', stop: () => watch.stop() });
  const duties = startUpkeep({
    db,
    clock,
    logger,
    live,
    broker,
    starting,
    groups,
    orphanGraceSeconds: env.TRAINER_ORPHAN_GRACE,
    lockTtlSeconds: env.TRAINING_LOCK_TTL,
    stopGraceMs,
  });
  upkeep = duties;
  parts.push({ name: 'upkeep of runs', stop: () => duties.stop() });
  return { starting, stopping };
}

function makeFinishing(ground: Ground, stream: RunStream, deployments: Deployments): Finishing {
  const { store, clock, random, config, folder, blobs } = ground;
  const { env } = config;
  return new Finishing({
    db: store.db,
    stream,
    clock,
    random,
    folder,
    blobs,
    resume: {
      enabled: env.AUTO_RESUME_FAILED_TRAINING,
      limit: env.TRAINING_RETRY_LIMIT,
      delayMs: env.TRAINING_RETRY_DELAY * 1000,
    },
    deploy: (tx, modelType, version) => deployments.deployNew(tx, modelType, version),
  });
}

async function openImporting({ store, clock, random, blobs, config }: Ground): Promise<Importing> {
  const importing = new Importing({
    db: store.db,
    clock,
    random,
    blobs,
    workFolder: join(config.paths.registry, 'incoming'),
    dataFolder: config.paths.data,
  });
  await importing.open();
  return importing;
}

interface Serving extends Runs {
  readonly deployments: Deployments;
  readonly routing: Routing;
  readonly service: Service;
  readonly parts: Part[];
}

async function serve(ground: Ground, serving: Serving): Promise<void> {
  const { config, clock, logger, store, identity, startedMs, core, blobs } = ground;
  const { env } = config;
  const { parts, service, stopping } = serving;
  const server = await createHttpShell({
    identity,
    title: 'Reactor Core',
    logger,
    meter: ground.meter,
    bodyLimitBytes: env.HTTP_BODY_LIMIT_MB * 1024 ** 2,
    host: env.REACTOR_CORE_HOST,
    token: env.JARVIS_API_TOKEN,
  });
  addHealthRoutes(server, { identity, db: store.db, clock, startedMs, core, logger });
  meterPeers(ground.meter, () => ({ 'jarvis-core': core.reachability() }));
  addReactorMetrics(ground.meter, store.db);
  addTrainingRoutes(server, { store, starting: serving.starting, stopping });
  addRegistryRoutes(server, { db: store.db, clock, blobs });
  addExchangeRoutes(server, { db: store.db, blobs, importing: await openImporting(ground) });
  addInvariantRoutes(server, { db: store.db, blobs, slots: env.MAX_CONCURRENT_TRAINING_JOBS });
  addDeploymentRoutes(server, {
    db: store.db,
    clock,
    deployments: serving.deployments,
    routing: serving.routing,
  });
  const querystring = z.object({ trainers: z.enum(['checkpoint', 'leave']).default('leave') });
  server.post(
    '/api/shutdown',
    { schema: { summary: 'Stop; trainers checkpoint and exit, or are left running', querystring } },
    async (req, reply) => {
      const first = req.query.trainers === 'checkpoint' ? stopping.stopAll() : stopping.close();
      void first.finally(() => void service.stop());
      return reply.code(202).send({ status: 'stopping' });
    },
  );
  parts.push({ name: 'HTTP', stop: () => server.close() });
  await listen(server, {
    port: env.REACTOR_CORE_PORT,
    host: env.REACTOR_CORE_HOST,
    service: 'Reactor Core (REACTOR_CORE_PORT)',
  });
  const peer = startLoop({
    name: 'JARVIS Core seen',
    intervalMs: PEER_PROBE_MS,
    clock,
    logger,
    run: async (signal) => {
      await core
        .get('/health', healthSchema, { once: true, timeoutMs: PEER_PROBE_TIMEOUT_MS })
        .catch(() => undefined);
      if (core.reachability().reachable) return;
      await clock.sleep(PEER_PROBE_UNSEEN_MS, signal);
      peer.wake();
    },
  });
  parts.push({ name: 'JARVIS Core seen', stop: () => peer.stop() });
  logger.info({ port: env.REACTOR_CORE_PORT, home: config.home }, 'Reactor Core is ready');
}
