// Which LLM server is configured, and what makes its engine: a command of ours, a GGUF file, or one that is there already.
import { CodedError, type Environment } from '@jarvis/contracts';
import type { Clock, Config, Logger } from '@jarvis/runtime';
import type { LlmEngine } from './engine.ts';

const CHOICES = ['JPRIME_LLM_COMMAND', 'JPRIME_LLM_MODEL', 'JPRIME_LLM_URL'] as const;
export type Choice = (typeof CHOICES)[number];

export interface EngineOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly logger: Logger;
}

export type EngineFactories = Readonly<
  Partial<Record<Choice, (value: string, options: EngineOptions) => Promise<LlmEngine>>>
>;

/** By the variable that chooses it. */
const ENGINES: EngineFactories = {};

/**
 * null: none is configured.
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
