// JARVIS Core put together: store, coordinator, its hands, watches and triggers, HTTP.
import { hostname } from 'node:os';
import { join } from 'node:path';
import { mkdir } from 'node:fs/promises';
import { bytesOfGb, CONTRACT_VERSION, type Identity } from '@jarvis/contracts';
import type { Coordinator } from '@jarvis/coordinator';
import type { MemoryView } from '@jarvis/policy';
import { createGpuReader, ensureHome } from '@jarvis/process';
import {
  type Clock,
  type Config,
  createHttpShell,
  createPeerClient,
  createService,
  type HttpServer,
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
import { createEventLog, type Database, type EventLog, openDatabase, takeHomeLock } from '@jarvis/store';
import { startEvidenceOutbox } from './assistant/outbox.ts';
import { addAssistantRoutes } from './assistant/routes.ts';
import { addLeaseRoutes } from './budget/lease-routes.ts';
import { localMinuteOfDay, TrainingGate } from './budget/gate.ts';
import { addGateRoutes } from './budget/gate-routes.ts';
import { addBudgetRoutes } from './budget/routes.ts';
import { type Watch, watchResources } from './budget/watch.ts';
import { AGING_MS, breakerRules, createCoordinator, createQueue, needBytes } from './coordination.ts';
import { watchDropFolder } from './experiences/drop-folder.ts';
import { addExperienceRoutes } from './experiences/routes.ts';
import { storeSeed } from './experiences/seed.ts';
import { addHealthRoutes, peersOf } from './health.ts';
import { addInvariantRoutes } from './invariants.ts';
import { addCoreMetrics } from './metrics.ts';
import { addBreakerRoutes } from './jobs/breaker-routes.ts';
import { watchRollbacks } from './jobs/rollback-watch.ts';
import { addJobRoutes } from './jobs/routes.ts';
import { LockDesk } from './locks/desk.ts';
import { addLockRoutes } from './locks/routes.ts';
import { createSlotLocks } from './store/locks.ts';
import { storePlace } from './store/place.ts';
import type { Queue } from './store/queue.ts';
import { startTriggers, submitBaseline } from './triggers/triggers.ts';

const DROP_FOLDER_INTERVAL_MS = 1_000;
const ROLLBACKS_INTERVAL_MS = 5_000;
export interface AppOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** What all parts of this service share. */
interface Ground extends AppOptions {
  readonly meter: Meter;
  readonly identity: Identity;
  readonly startedMs: number;
  readonly db: Database;
  readonly events: EventLog;
  readonly prime: ServiceClient | null;
  readonly reactor: ServiceClient | null;
  readonly hostId: string;
  readonly datasets: string;
  readonly gate: TrainingGate;
}

export async function startJarvisCore(options: AppOptions): Promise<Service> {
  const parts: Part[] = [];
  const service = createService(parts, options.logger);
  try {
    const ground = await openGround(options, { parts, service });
    const queue = createQueue(ground);
    await ground.db.transaction('core.slots.create', (tx) =>
      createSlotLocks(tx, ground.config.env.MAX_CONCURRENT_TRAINING_JOBS),
    );
    const { coordinator, outside } = createCoordinator(ground, queue);
    parts.push(
      { name: 'work outside', stop: () => outside.stop() },
      { name: 'coordinator', stop: () => coordinator.stop() },
    );
    await serve(ground, { queue, coordinator, service, parts });
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

async function openGround(options: AppOptions, { parts, service }: Life): Promise<Ground> {
  const { config, clock, random, logger } = options;
  const home = await ensureHome(config.home, () => random.id('home').slice('home-'.length));
  const folder = config.paths.core;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const lock = takeHomeLock(join(folder, 'lock.db'), 'JARVIS Core');
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
  const calls = { config, clock, meter };
  const prime = config.env.JARVIS_PRIME_ENABLED ? createPeerClient('J-Prime', 'j-prime', calls) : null;
  const reactor = config.env.REACTOR_CORE_ENABLED
    ? createPeerClient('Reactor Core', 'reactor-core', calls)
    : null;
  for (const c of [prime, reactor])
    if (c !== null) parts.push({ name: `calls to ${c.name}`, stop: () => c.close() });
  const identity: Identity = {
    service: 'jarvis-core',
    instance_id: random.id('core'),
    home_id: home.homeId,
    pid: process.pid,
    started_at: isoNow(clock),
    contract_version: CONTRACT_VERSION,
  };
  return {
    ...options,
    meter,
    identity,
    startedMs: clock.monotonic(),
    db,
    events: createEventLog(db),
    prime,
    reactor,
    hostId: hostname(),
    datasets: join(folder, 'datasets'),
    gate: await openGate(config, db, clock),
  };
}

async function openGate({ env }: Config, db: Database, clock: Clock): Promise<TrainingGate> {
  const gate = new TrainingGate({
    db,
    clock,
    window: env.TRAINING_WINDOW,
    loadMax: env.TRAINING_MAX_LOAD,
    trainsOnBattery: env.TRAINING_ON_BATTERY,
    minuteOfDay: localMinuteOfDay,
  });
  await gate.open();
  return gate;
}

interface Running {
  readonly queue: Queue;
  readonly coordinator: Coordinator;
  readonly service: Service;
  readonly parts: Part[];
}

async function serve(ground: Ground, running: Running): Promise<void> {
  const { config, clock, logger, db, identity } = ground;
  const { env } = config;
  const { coordinator, parts, service } = running;
  let watch: Watch | null = null;
  const outbox =
    ground.reactor === null
      ? null
      : startEvidenceOutbox({
          db,
          clock,
          logger,
          intervalMs: env.EVIDENCE_FLUSH_INTERVAL * 1000,
          reactor: ground.reactor,
        });
  if (outbox !== null) parts.push({ name: 'evidence outbox', stop: () => outbox.stop() });
  const server = await createHttpShell({
    identity,
    title: 'JARVIS Core',
    logger,
    meter: ground.meter,
    bodyLimitBytes: env.HTTP_BODY_LIMIT_MB * 1024 ** 2,
    host: env.JARVIS_HOST,
    token: env.JARVIS_API_TOKEN,
  });
  const desk = new LockDesk({ db, clock, logger });
  addRoutes(server, ground, { ...running, desk, watch: () => watch, onEvidence: () => outbox?.wake() });
  server.post(
    '/api/shutdown',
    { schema: { summary: 'Stop this service; nothing is lost' } },
    async (_req, reply) => {
      setImmediate(() => void service.stop());
      return reply.code(202).send({ status: 'stopping' });
    },
  );
  parts.push({ name: 'HTTP', stop: () => server.close() });
  // Before HTTP: a call that waits would keep it open.
  parts.push({ name: 'lock desk', stop: () => desk.stop() });
  await listen(server, {
    port: env.JARVIS_PORT,
    host: env.JARVIS_HOST,
    service: 'JARVIS Core (JARVIS_PORT)',
  });
  watch = watchResources({
    clock,
    logger,
    coordinator,
    prime: ground.prime,
    reactor: ground.reactor,
    ownPid: process.pid,
    intervalMs: env.RESOURCE_CHECK_INTERVAL * 1000,
    budgetBytes: env.MAX_TOTAL_MEMORY_GB === null ? null : bytesOfGb(env.MAX_TOTAL_MEMORY_GB),
    safetyBytes: bytesOfGb(env.MEMORY_SAFETY_GB),
    readGpu: createGpuReader((error) => logger.warn({ err: error }, 'the GPUs cannot be measured')),
    onUse: (use) => ground.gate.noteUse(use),
  });
  const seen = watch;
  parts.push({ name: 'resource watch', stop: () => seen.stop() });
  startRollbackWatch(ground, parts);
  await startFeeding(ground, running);
  logger.info({ port: env.JARVIS_PORT, home: config.home }, 'JARVIS Core is ready');
}

function startRollbackWatch({ config, clock, logger, db, reactor }: Ground, parts: Part[]): void {
  if (reactor === null) return;
  const rules = breakerRules(config);
  const watch = watchRollbacks({ db, reactor, rules, intervalMs: ROLLBACKS_INTERVAL_MS, clock, logger });
  parts.push({ name: 'rollbacks in a row', stop: () => watch.stop() });
}

/** What brings experiences and jobs in by itself. */
async function startFeeding(ground: Ground, { coordinator, parts }: Running): Promise<void> {
  const { config, clock, logger, db } = ground;
  const { env, paths } = config;
  const dropFolder = watchDropFolder({
    folder: paths.drop,
    db,
    clock,
    logger,
    meter: ground.meter,
    intervalMs: DROP_FOLDER_INTERVAL_MS,
  });
  parts.push({ name: 'drop folder', stop: () => dropFolder.stop() });
  if (env.TRAINING_BASELINE_ENABLED) {
    const phrases = await storeSeed(db, paths.nluSeed, clock.now());
    if (phrases > 0) await submitBaseline(coordinator);
  }
  if (!env.TRAINING_AUTO_TRIGGER_ENABLED) return;
  const triggers = startTriggers({
    db,
    clock,
    logger,
    coordinator,
    intervalMs: env.TRAINING_CHECK_INTERVAL * 1000,
    minNew: env.TRAINING_MIN_NEW_EXPERIENCES,
    cron: env.TRAINING_CRON_SCHEDULE,
  });
  parts.push({ name: 'triggers', stop: () => triggers.stop() });
}

interface RouteNeeds extends Running {
  readonly desk: LockDesk;
  readonly watch: () => Watch | null;
  readonly onEvidence: () => void;
}

function addRoutes(server: HttpServer, ground: Ground, needs: RouteNeeds): void {
  const { db, events, clock, random, config, hostId } = ground;
  const { coordinator, queue } = needs;
  const onChange = (): void => coordinator.post({ type: 'look' });
  addHealthRoutes(server, { ...ground, watch: needs.watch });
  addExperienceRoutes(server, { db, clock, random, datasets: ground.datasets });
  addAssistantRoutes(server, { db, clock, random, prime: ground.prime, onEvidence: needs.onEvidence });
  addJobRoutes(server, { db, events, coordinator });
  addBreakerRoutes(server, { db, clock, coordinator, rules: breakerRules(config) });
  addLockRoutes(server, {
    db,
    clock,
    desk: needs.desk,
    ttlSeconds: config.env.TRAINING_LOCK_TTL,
    slots: config.env.MAX_CONCURRENT_TRAINING_JOBS,
    onSlotChange: onChange,
  });
  const memory = (): MemoryView | null => coordinator.memory;
  addGateRoutes(server, ground.gate, onChange);
  addBudgetRoutes(server, { hostId, queue, clock, agingMs: AGING_MS, memory });
  meterPeers(ground.meter, () => peersOf({ ...ground, watch: needs.watch }));
  addCoreMetrics({ meter: ground.meter, db, clock, queue, memory });
  addInvariantRoutes(server, { db, slots: config.env.MAX_CONCURRENT_TRAINING_JOBS, memory });
  addLeaseRoutes(server, {
    db,
    events,
    clock,
    random,
    hostId,
    leaseTtlSeconds: config.env.MEMORY_LEASE_TTL,
    defaultNeedBytes: (modelType) => needBytes(config, modelType),
    onChange,
  });
}
