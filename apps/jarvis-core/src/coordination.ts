// The queue, its coordinator and the coordinator's hands, by the configuration.
import { bytesOfGb, type ModelType } from '@jarvis/contracts';
import { Coordinator, type CoordinatorEvent } from '@jarvis/coordinator';
import { backoffMs, type BreakerRules, type SchedulingOptions } from '@jarvis/policy';
import {
  type Clock,
  type Config,
  createServiceClient,
  type Logger,
  type Meter,
  type Random,
  type ServiceClient,
} from '@jarvis/runtime';
import type { Database, EventLog } from '@jarvis/store';
import { type TrainingGate } from './budget/gate.ts';
import { Outside } from './jobs/performer.ts';
import { StartRequests } from './jobs/start-request.ts';
import { Queue } from './store/queue.ts';

const RETRY_DELAY_MAX_MS = 600_000;
/** A job that waited for so long counts one class higher. */
export const AGING_MS = 3_600_000;
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

export interface CoordinationNeeds {
  readonly config: Config;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly meter: Meter;
  readonly db: Database;
  readonly events: EventLog;
  readonly hostId: string;
  readonly datasets: string;
  readonly prime: ServiceClient | null;
  readonly reactor: ServiceClient | null;
  readonly gate: TrainingGate;
}

export function needBytes({ env }: Config, modelType: ModelType): number {
  return bytesOfGb(env.TRAINING_MEMORY_RESERVE_GB ?? DEFAULT_NEED_GB[modelType]);
}

export function breakerRules({ env }: Config): BreakerRules {
  return {
    failures: env.TRAINING_BREAKER_FAILURES,
    cooldownMs: env.TRAINING_BREAKER_COOLDOWN * 1000,
    cooldownMaxMs: BREAKER_COOLDOWN_MAX_MS,
  };
}

export function createQueue({ config, db, events, random, hostId }: CoordinationNeeds): Queue {
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

export function createCoordinator(
  needs: CoordinationNeeds,
  queue: Queue,
): { coordinator: Coordinator; outside: Outside } {
  const { config, clock, random, logger, gate } = needs;
  const { env } = config;
  const outside = createOutside(needs, (event) => coordinator.post(event));
  const coordinator: Coordinator = new Coordinator({
    store: queue,
    performer: outside,
    now: () => clock.now(),
    scheduling: schedulingOptions(config),
    hold: () => gate.hold(),
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

function schedulingOptions(config: Config): SchedulingOptions {
  const { env } = config;
  return {
    policy: env.NEGOTIATION_POLICY,
    slotTimeoutMs: env.TRAINING_SLOT_TIMEOUT * 1000,
    agingMs: AGING_MS,
    primeThresholdBytes: bytesOfGb(env.JPRIME_MEMORY_THRESHOLD_GB),
    primeIdleMs: env.JPRIME_IDLE_SECONDS * 1000,
    preemptAfterMs: env.TRAINING_PREEMPT_AFTER * 1000,
    preemptionsPerHour: PREEMPTIONS_PER_HOUR,
    breaker: breakerRules(config),
  };
}

function createOutside(needs: CoordinationNeeds, post: (event: CoordinatorEvent) => void): Outside {
  const { config, clock, random, logger, db } = needs;
  const { env } = config;
  const startRequests = new StartRequests({
    db,
    random,
    datasets: needs.datasets,
    ownUrl: () => config.urls['jarvis-core'],
    gatePercent: env.TRAINING_GATE_PERCENT,
    checkpointInterval: env.CHECKPOINT_INTERVAL_EPOCHS,
    retryLimit: env.TRAINING_RETRY_LIMIT,
  });
  const reactor =
    needs.reactor ??
    createServiceClient({
      name: 'Reactor Core',
      baseUrl: config.urls['reactor-core'],
      timeoutMs: 1000,
      retries: 0,
      retryDelayMs: 0,
      token: null,
      clock,
    });
  return new Outside({
    reactor,
    prime: needs.prime,
    policy: env.NEGOTIATION_POLICY,
    token: env.JARVIS_API_TOKEN,
    clock,
    random,
    logger,
    meter: needs.meter,
    startRequests,
    post,
  });
}
