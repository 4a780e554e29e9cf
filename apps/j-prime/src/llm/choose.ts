// Which LLM server is configured, and what makes its engine: a command of ours, a GGUF file, or one that is there already.
import { CodedError, type Environment } from '@jarvis/contracts';
import type { Clock, Config, Logger, Random } from '@jarvis/runtime';
import { resolve } from 'node:path';
import type { LlmEngine } from './engine.ts';
import { createCommandEngine } from './own/command-engine.ts';
import { createGgufEngine } from './own/gguf/gguf-engine.ts';

const CHOICES = ['JPRIME_LLM_COMMAND', 'JPRIME_LLM_MODEL', 'JPRIME_LLM_URL'] as const;
export type Choice = (typeof CHOICES)[number];

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
  Partial<Record<Choice, (value: string, options: EngineOptions) => Promise<LlmEngine>>>
>;

/** By the variable that chooses it. */
const ENGINES: EngineFactories = {
  JPRIME_LLM_COMMAND: (command, options) =>
    createCommandEngine({ ...partsOf(options), command, host: '127.0.0.1' }),
  JPRIME_LLM_MODEL: (file, options) =>
    createGgufEngine({ ...partsOf(options), modelPath: resolve(options.cwd, file) }),
};

function partsOf({ config, environment, cwd, clock, random, logger }: EngineOptions) {
  const { prime: folder, logs } = config.paths;
  return { env: environment, cwd, folder, logs, clock, random, logger };
}

/**
 * null: none is configured. Takes over a server that an earlier J-Prime has left, so that only who holds the home may call it.
 * @throws {CodedError} `invalid_request` when the variables contradict each other, `llm_unavailable` when there is no such engine
 */
export async function createLlmEngine(
  options: EngineOptions,
  engines: EngineFactories = ENGINES,
): Promise<LlmEngine | null> {
  const { env } = options.config;
  const chosen = CHOICES.filter((name) => env[name] !== null);
  const problem = contradictionOf(env, chosen);
  if (problem !== null) throw new CodedError('invalid_request', problem);
  const [choice] = chosen;
  const value = choice === undefined ? null : env[choice];
  if (choice === undefined || value === null) return null;
  const create = engines[choice];
  if (create === undefined)
    throw new CodedError('llm_unavailable', `${choice}: this J-Prime has no engine for it yet`);
  return create(value, options);
}

function contradictionOf(env: Environment, chosen: readonly Choice[]): string | null {
  if (chosen.length > 1)
    return `${chosen.join(', ')}: only one of them may be set, for J-Prime has one LLM server`;
  if (env.JPRIME_LLM_KIND !== null && env.JPRIME_LLM_URL === null)
    return 'JPRIME_LLM_KIND: says what the server at JPRIME_LLM_URL is, which is not set';
  return null;
}
