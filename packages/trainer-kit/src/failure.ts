// Why a trainer gives up: a closed list of codes, each with whether trying again can help.
export const TRAINER_FAILURES = {
  invalid_job: { retryable: false },
  unsupported_model_type: { retryable: false },
  unsupported_config: { retryable: false },
  dataset_unreadable: { retryable: true },
  dataset_corrupt: { retryable: false },
  dataset_empty: { retryable: false },
  stale_token: { retryable: false },
  artifact_too_large: { retryable: false },
  storage_full: { retryable: true },
  out_of_memory: { retryable: true },
  internal: { retryable: true },
} as const;

export type TrainerFailureCode = keyof typeof TRAINER_FAILURES;

/** A failure with a code; it becomes the `failed` event. */
export class TrainerFailure extends Error {
  readonly code: TrainerFailureCode;
  constructor(code: TrainerFailureCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'TrainerFailure';
    this.code = code;
  }
  get retryable(): boolean {
    return TRAINER_FAILURES[this.code].retryable;
  }
}

export function isTrainerFailure(error: unknown, code?: TrainerFailureCode): error is TrainerFailure {
  return error instanceof TrainerFailure && (code === undefined || error.code === code);
}

/** The system's error code (`ENOENT` and the like), if there is one. */
export function systemCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** Whatever was thrown, as a failure; what is not known by name is `internal`. */
export function toFailure(error: unknown): TrainerFailure {
  if (error instanceof TrainerFailure) return error;
  const message = error instanceof Error ? error.message : String(error);
  const code = systemCode(error);
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new TrainerFailure('storage_full', message, { cause: error });
  if (error instanceof RangeError && /allocation failed/i.test(message)) {
    return new TrainerFailure('out_of_memory', message, { cause: error });
  }
  return new TrainerFailure('internal', message, { cause: error });
}
