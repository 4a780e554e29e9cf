// What can keep the supervisor from starting; the message says what to do about it.

export type SupervisorErrorCode =
  | 'configuration'
  | 'already_running'
  | 'port_taken'
  | 'start_failed'
  | 'start_timeout'
  | 'stopped';

export class SupervisorError extends Error {
  override readonly name = 'SupervisorError';
  readonly code: SupervisorErrorCode;
  constructor(code: SupervisorErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
