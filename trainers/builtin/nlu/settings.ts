// What a job may set of this trainer, and what it is when the job doesn't. Tuned on the validation part of CLINC150,
// at 16 epochs; how many there are is the job's to say, and more do no harm.
import type { TrainerConfig } from '@jarvis/contracts';
import { TrainerFailure } from '@jarvis/trainer-kit';

const ARCHITECTURE = 'softmax-ngrams';
const LEARNING_RATE = 0.5;
const BATCH_ROWS = 1;
/** Gradients of a batch are kept until all are known: at 150 labels this many rows take some 40 ms. */
const BATCH_ROWS_MAX = 1024;

export interface Settings {
  readonly learning_rate: number;
  readonly batch_size: number;
  readonly model_architecture: string;
}

/** @throws {TrainerFailure} `unsupported_config` for an architecture that isn't built */
export function settingsOf(config: TrainerConfig): Settings {
  const architecture = config.model_architecture ?? ARCHITECTURE;
  if (architecture !== ARCHITECTURE) {
    const advice = `leave model_architecture out, or set it to ${ARCHITECTURE}`;
    throw new TrainerFailure(
      'unsupported_config',
      `${architecture} is no architecture of this trainer: ${advice}`,
    );
  }
  return {
    learning_rate: config.learning_rate ?? LEARNING_RATE,
    batch_size: Math.min(config.batch_size ?? BATCH_ROWS, BATCH_ROWS_MAX),
    model_architecture: architecture,
  };
}
