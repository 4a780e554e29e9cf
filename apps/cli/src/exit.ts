// How a command ends: exit codes, and errors as sentences that say what to do.
import { CodedError, ERROR_CODES, EXIT_CONFIG } from '@jarvis/contracts';
import { CommanderError } from 'commander';
import type { World } from './world.ts';

export const EXIT_FAILURE = 1;
/** Done, but for input that could not be used, which was told (sysexits EX_DATAERR). */
export const EXIT_NOT_ALL = 65;
/** A service that the command needs is away (sysexits EX_UNAVAILABLE). */
export const EXIT_AWAY = 69;
/** Ended by Ctrl-C, as shells say it. */
export const EXIT_INTERRUPTED = 130;

/** Ends a command with a message for a person and an exit code. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly exitCode: number;
  constructor(message: string, exitCode: number = EXIT_FAILURE, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

/** Runs a command and answers its exit code; what went wrong is written to stderr. */
export async function runProgram(world: World, command: () => Promise<unknown>): Promise<number> {
  try {
    await command();
    return Number(process.exitCode ?? 0);
  } catch (error) {
    // Commander has written its message already; asking for help is no failure.
    if (error instanceof CommanderError) return error.exitCode;
    world.stderr.write(`${explain(error)}\n`);
    return exitCodeOf(error);
  }
}

export function exitCodeOf(error: unknown): number {
  if (error instanceof CommandError) return error.exitCode;
  if (error instanceof CodedError) return ERROR_CODES[error.code].status === 503 ? EXIT_AWAY : EXIT_FAILURE;
  return isConfiguration(error) ? EXIT_CONFIG : EXIT_FAILURE;
}

function isConfiguration(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'configuration';
}

function explain(error: unknown): string {
  if (error instanceof CodedError && error.code === 'service_unavailable')
    return `${error.message}\nIs the system up? \`jarvis status\` says; \`jarvis up\` starts it.`;
  if (error instanceof CodedError) {
    const issues = (error.details.issues ?? []).map((i) => `\n  ${i.path}: ${i.message}`);
    return `${error.message} (${error.code})${issues.join('')}`;
  }
  if (error instanceof CommandError) return error.message;
  // What has a code of its own says what to do; anything else is a bug, and its trace is needed.
  if (error instanceof Error) return 'code' in error ? error.message : (error.stack ?? error.message);
  return String(error);
}
