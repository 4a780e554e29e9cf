// The LLM server of this J-Prime: its engine, its memory, and what is remembered of it, put together.
import { bytesOfGb } from '@jarvis/contracts';
import { readMachineMemory } from '@jarvis/process';
import type { Clock, Config, Logger, Random, ServiceClient } from '@jarvis/runtime';
import type { Database } from '@jarvis/store';
import { lastMeasured, saveMeasured } from '../store/llm.ts';
import type { LlmEngine } from './engine.ts';
import { MemoryLease } from './memory-lease.ts';
import { needBytesOf } from './need.ts';
import { LlmServer } from './server.ts';

/** One may be under way when the model is ready; the one after it has seen all of it. */
const MEASUREMENTS = 2;

export interface LlmOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly db: Database;
  readonly core: ServiceClient;
  readonly engine: LlmEngine;
  readonly lent: () => boolean;
}

export function createLlmServer(options: LlmOptions): LlmServer {
  const { config, clock, random, logger, db, core, engine, lent } = options;
  const { env } = config;
  const memory = new MemoryLease({
    core,
    clock,
    logger,
    lent,
    availableBytes: async () => (await readMachineMemory()).available_bytes,
    safetyBytes: bytesOfGb(env.MEMORY_SAFETY_GB),
  });
  const need = {
    configuredGb: env.JPRIME_LLM_MEMORY_GB,
    modelFile: env.JPRIME_LLM_MODEL,
    lastMeasured: () => lastMeasured(db, engine.name),
  };
  return new LlmServer({
    engine,
    memory,
    needBytes: (look) => needBytesOf(need, look),
    onMeasured: (bytes) =>
      saveMeasured(db, engine.name, bytes).catch((error: unknown) =>
        logger.error({ err: error }, 'cannot remember what the LLM holds'),
      ),
    policy: env.NEGOTIATION_POLICY,
    lent,
    waitMs: env.JPRIME_LLM_WAIT * 1000,
    preload: env.JPRIME_LLM_PRELOAD,
    measuredAfterMs: MEASUREMENTS * env.RESOURCE_CHECK_INTERVAL * 1000,
    clock,
    random,
    logger,
  });
}
