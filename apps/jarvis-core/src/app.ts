// JARVIS Core put together: store, coordinator, its hands, watches and triggers, HTTP.
import { hostname } from 'node:os';
import { join } from 'node:path';
import { mkdir } from 'node:fs/promises';
import { BYTES_PER_GB, CONTRACT_VERSION, type Identity, type ModelType } from '@jarvis/contracts';
import { Coordinator, type CoordinatorEvent } from '@jarvis/coordinator';
import { backoffMs, type BreakerRules, type MemoryView } from '@jarvis/policy';
import { ensureHome } from '@jarvis/process';
import {
  type Clock,
  type Config,
  createHttpShell,
  createPeerClient,
  createService,
  createServiceClient,
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
import { addBudgetRoutes } from './budget/routes.ts';
import { type Watch, watchResources } from './budget/watch.ts';
import { watchDropFolder } from './experiences/drop-folder.ts';
import { addExperienceRoutes } from './experiences/routes.ts';
import { storeSeed } from './experiences/seed.ts';
import { addHealthRoutes, peersOf } from './health.ts';
import { addInvariantRoutes } from './invariants.ts';
import { addCoreMetrics } from './metrics.ts';
import { Outside } from './jobs/performer.ts';
import { addBreakerRoutes } from './jobs/breaker-routes.ts';
import { addJobRoutes } from './jobs/routes.ts';
import { StartRequests } from './jobs/start-request.ts';
import { LockDesk } from './locks/desk.ts';
import { addLockRoutes } from './locks/routes.ts';
import { createSlotLocks } from './store/locks.ts';
import { storePlace } from './store/place.ts';
import { Queue } from './store/queue.ts';
import { startTriggers, submitBaseline } from './triggers/triggers.ts';

const DROP_FOLDER_INTERVAL_MS = 1_000;
const RETRY_DELAY_MAX_MS = 600_000;
/** A job that waited for so long counts one class higher. */
const AGING_MS = 3_600_000;
/** So often within an hour one job has to give way; after that it is left to finish. */
const PREEMPTIONS_PER_HOUR = 3;
const BREAKER_COOLDOWN_MAX_MS = 86_400_000;
/** So many looks may fail or be late before what was measured is too old to grant memory on. */
const MEMORY_AGE_LOOKS_MAX = 3;
/** A look itself takes no longer, time limits of its calls included. */
const LOOK_MS_MAX = 20_000;
const DEFAULT_NEED_GB: Readonly<Record<ModelType, number>> = {
  voice: 1,
  nlu: 1,
  vision: 1,
  embedding: 1,
  llm: 40,
};

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
  };
}

function needBytes(config: Config, modelType: ModelType): number {
  return Math.round((config.env.TRAINING_MEMORY_RESERVE_GB ?? DEFAULT_NEED_GB[modelType]) * BYTES_PER_GB);
}

function breakerRules({ env }: Config): BreakerRules {
  return {
    failures: env.TRAINING_BREAKER_FAILURES,
    cooldownMs: env.TRAINING_BREAKER_COOLDOWN * 1000,
    cooldownMaxMs: BREAKER_COOLDOWN_MAX_MS,
  };
}

function createQueue({ config, db, events, random, hostId }: Ground): Queue {
  const { env } = config;
  return new Queue({
    db,
    events,
    random,
    hostId,
    slots: env.MAX_CONCURRENT_TRAINING_JOBS,
    lockTtlMs: env.TRAINING_LOCK_TTL * 1000,
    leaseTtlMs: env.MEMORY_LEASE_TTL * 1000,
    epochs: env.TRAINING_EPOCHS,
    maxWaitMs: env.TRAINING_MAX_WAIT * 1000,
    breaker: breakerRules(config),
    defaultNeedBytes: (modelType) => needBytes(config, modelType),
  });
}

function createCoordinator(ground: Ground, queue: Queue): { coordinator: Coordinator; outside: Outside } {
  const { config, clock, random, logger, db } = ground;
  const { env } = config;
  const startRequests = new StartRequests({
    db,
    random,
    datasets: ground.datasets,
    ownUrl: () => config.urls['jarvis-core'],
    gatePercent: env.TRAINING_GATE_PERCENT,
    checkpointInterval: env.CHECKPOINT_INTERVAL_EPOCHS,
    retryLimit: env.TRAINING_RETRY_LIMIT,
  });
  const post = (event: CoordinatorEvent): void => coordinator.post(event);
  const reactor =
    ground.reactor ??
    createServiceClient({
      name: 'Reactor Core',
      baseUrl: config.urls['reactor-core'],
      timeoutMs: 1000,
      retries: 0,
      retryDelayMs: 0,
      token: null,
      clock,
    });
  const outside = new Outside({
    reactor,
    prime: ground.prime,
    token: env.JARVIS_API_TOKEN,
    clock,
    random,
    logger,
    meter: ground.meter,
    startRequests,
    post,
  });
  const coordinator = new Coordinator({
    store: queue,
    performer: outside,
    now: () => clock.now(),
    scheduling: {
      slotTimeoutMs: env.TRAINING_SLOT_TIMEOUT * 1000,
      agingMs: AGING_MS,
      primeThresholdBytes: env.JPRIME_MEMORY_THRESHOLD_GB * BYTES_PER_GB,
      primeIdleMs: env.JPRIME_IDLE_SECONDS * 1000,
      preemptAfterMs: env.TRAINING_PREEMPT_AFTER * 1000,
      preemptionsPerHour: PREEMPTIONS_PER_HOUR,
      breaker: breakerRules(config),
    },
    memoryAgeMaxMs: MEMORY_AGE_LOOKS_MAX * (env.RESOURCE_CHECK_INTERVAL * 1000 + LOOK_MS_MAX),
    retries: {
      resume: env.AUTO_RESUME_FAILED_TRAINING,
      limit: env.TRAINING_RETRY_LIMIT,
      delayMs: (attempt) =>
        backoffMs({
          attempt: attempt - 1,
          baseMs: env.TRAINING_RETRY_DELAY * 1000,
          maxMs: RETRY_DELAY_MAX_MS,
          unit: random.unit(),
        }),
    },
    onError: (error, event) =>
      logger.error({ err: error, event: event.type }, 'the coordinator could not take an event'),
  });
  return { coordinator, outside };
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
    budgetBytes: env.MAX_TOTAL_MEMORY_GB === null ? null : env.MAX_TOTAL_MEMORY_GB * BYTES_PER_GB,
    safetyBytes: env.MEMORY_SAFETY_GB * BYTES_PER_GB,
  });
  const seen = watch;
  parts.push({ name: 'resource watch', stop: () => seen.stop() });
  await startFeeding(ground, running);
  logger.info({ port: env.JARVIS_PORT, home: config.home }, 'JARVIS Core is ready');
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
