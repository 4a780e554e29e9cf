// Which LLM server is configured, and what makes its engine: a command of ours, a GGUF file, or one that is there already.
import type { Clock, Config, Logger, Random } from '@jarvis/runtime';
import { resolve } from 'node:path';
import { createAlreadyEngine } from './already/already-engine.ts';
import type { LlmEngine } from './engine.ts';
import { createCommandEngine } from './own/command-engine.ts';
import { createGgufEngine } from './own/gguf/gguf-engine.ts';

const CHOICES = ['JPRIME_LLM_COMMAND', 'JPRIME_LLM_MODEL', 'JPRIME_LLM_URL'] as const;
type Choice = (typeof CHOICES)[number];

export interface EngineOptions {
  readonly config: Config;
  /** Of J-Prime; what it starts gets it without what is secret in it. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export type EngineFactories = Readonly<
  Record<Choice, (value: string, options: EngineOptions) => Promise<LlmEngine>>
>;

/** By the variable that chooses it. */
const ENGINES: EngineFactories = {
  JPRIME_LLM_COMMAND: (command, options) =>
    createCommandEngine({ ...partsOf(options), command, host: '127.0.0.1' }),
  JPRIME_LLM_MODEL: (file, options) =>
    createGgufEngine({ ...partsOf(options), modelPath: resolve(options.cwd, file) }),
  JPRIME_LLM_URL: (url, { config, clock, logger }) =>
    createAlreadyEngine({
      url,
      kind: config.env.JPRIME_LLM_KIND,
      apiKey: config.env.JPRIME_LLM_API_KEY,
      isMemoryUnified: process.platform === 'darwin',
      clock,
      logger,
    }),
};

function partsOf({ config, environment, cwd, clock, random, logger }: EngineOptions) {
  const { prime: folder, logs } = config.paths;
  return { env: environment, cwd, folder, logs, clock, random, logger };
}

/** null: none is configured. Takes over a server that an earlier J-Prime has left, so that only who holds the home may call it. */
export async function createLlmEngine(
  options: EngineOptions,
  engines: EngineFactories = ENGINES,
): Promise<LlmEngine | null> {
  const { env } = options.config;
  // That not two of them are set, `readConfig` has seen to.
  for (const choice of CHOICES) {
    const value = env[choice];
    if (value !== null) return engines[choice](value, options);
  }
  return null;
}
