// A command in a process group of its own, with our streams: signals are passed on to the whole group, and it can be stopped
// with all that it started.
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { type Exit, processStartTicks, signalGroup, stopProcess } from '@jarvis/process';
import { CommandError } from './exit.ts';
import type { World } from './world.ts';

/** As shells have them. */
const EXIT_NOT_EXECUTABLE = 126;
const EXIT_NOT_FOUND = 127;
const EXIT_BY_SIGNAL = 128;
const PASSED_ON = [
  'SIGINT',
  'SIGTERM',
  'SIGHUP',
  'SIGQUIT',
  'SIGUSR1',
  'SIGUSR2',
  'SIGWINCH',
  'SIGCONT',
] as const;
/** Once stopped ourselves (Ctrl-Z) we could not renew, while the command went on. */
const NOT_FOLLOWED = 'SIGTSTP';

export interface Running {
  /** Its exit code, 128 + n when signal n ended it. */
  readonly ended: Promise<number>;
  /** SIGTERM, `graceMs`, SIGKILL, to the whole group; answers who still lives. */
  stop(graceMs: number): Promise<readonly number[]>;
}

export async function runCommand(
  world: World,
  [program = '', ...args]: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<Running> {
  const child = spawn(program, args, {
    cwd: world.cwd,
    env: { ...world.environment, ...environment },
    stdio: 'inherit',
    detached: true,
  });
  const exited = new Promise<Exit>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
  const passOn = (signal: NodeJS.Signals): void => void signalGroup(child.pid as number, signal);
  const swallow = (): void => undefined;
  // Before it is known to run: a signal that comes in between must not end us alone.
  const started = Promise.withResolvers<void>();
  child.once('spawn', started.resolve).once('error', started.reject);
  if (child.pid !== undefined) {
    for (const signal of PASSED_ON) process.on(signal, passOn);
    process.on(NOT_FOLLOWED, swallow);
  }
  await started.promise.catch((error: unknown) => {
    throw notStarted(program, error as NodeJS.ErrnoException);
  });
  const pid = child.pid as number;
  const startedTicks = (await processStartTicks(pid)) ?? 0;
  const ended = exited.then(({ code, signal }) => {
    for (const passed of PASSED_ON) process.off(passed, passOn);
    process.off(NOT_FOLLOWED, swallow);
    return code ?? EXIT_BY_SIGNAL + (signal === null ? 0 : constants.signals[signal]);
  });
  return {
    ended,
    stop: async (termGraceMs) =>
      (await stopProcess({ pid, startedTicks, sweepGroup: true, termGraceMs })).left,
  };
}

function notStarted(program: string, error: NodeJS.ErrnoException): CommandError {
  return error.code === 'ENOENT'
    ? new CommandError(`There is no program ${program}: check the name and PATH.`, EXIT_NOT_FOUND)
    : new CommandError(`${program} cannot be run: ${error.message}`, EXIT_NOT_EXECUTABLE);
}
