// Which program trains a kind of model: the user's own command, else the built-in trainer, if there is one.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { CodedError, type Environment, type ModelType } from '@jarvis/contracts';
import { splitWords } from '@jarvis/process';

export type TrainerCommand = readonly [string, ...string[]];

const COMMAND_VARIABLES = {
  nlu: 'TRAINER_NLU_COMMAND',
  voice: 'TRAINER_VOICE_COMMAND',
  vision: 'TRAINER_VISION_COMMAND',
  embedding: 'TRAINER_EMBEDDING_COMMAND',
  llm: 'TRAINER_LLM_COMMAND',
} as const satisfies Record<ModelType, keyof Environment>;

/** Null when nothing trains this kind. */
export function trainerCommand(modelType: ModelType, env: Environment): TrainerCommand | null {
  const own = env[COMMAND_VARIABLES[modelType]];
  if (own !== null) {
    const [program, ...args] = splitWords(own);
    return program === undefined ? null : [program, ...args];
  }
  const builtin = fileURLToPath(
    new URL(`../../../../trainers/builtin/${modelType}/main.ts`, import.meta.url),
  );
  return existsSync(builtin) ? [process.execPath, builtin] : null;
}

export function mustHaveTrainer(modelType: ModelType, env: Environment): TrainerCommand {
  const command = trainerCommand(modelType, env);
  if (command !== null) return command;
  throw new CodedError(
    'unsupported_model_type',
    `nothing trains ${modelType}: set ${COMMAND_VARIABLES[modelType]} to a command that speaks the trainer protocol`,
  );
}
