// A process that runs a service: launched by us, or found running and adopted.
import { stat, statfs } from 'node:fs/promises';
import type { Health } from '@jarvis/contracts';
import {
  type Exit,
  findListener,
  processStartTicks,
  readLastLines,
  spawnDetached,
  watchExit,
} from '@jarvis/process';
import type { Context } from './context.ts';
import { messageOf, SupervisorError } from './errors.ts';
import { probe } from './probe.ts';
import { expectedOf, type LaunchSpec, type ServiceSpec } from './services.ts';

export interface Running {
  readonly origin: 'launched' | 'adopted';
  /** null: adopted, and not certain to be a process of this machine; it is asked, never signalled. */
  readonly process: { readonly pid: number; readonly startedTicks: number } | null;
  /** Aborted when the process has ended; the reason says how. */
  readonly ended: AbortSignal;
  /** Where in the log this process began. */
  readonly logFromByte: number;
  /** Ends the watch over a process that is not our child. */
  release(): void;
}

/** A stopped event loop answers nothing; a loaded machine answers late. */
export const probeTimeoutMs = 2000;
const logTailLines = 20;
/** Less room than this, and a database cannot be made. */
const fullBelowBytes = 1024 * 1024;
/** Most of the waiting is the program's own start, some 100 to 300 ms: until then every delay shows. */
const readyPollMs = 25;
const readyPollSlowMs = 100;
const readyPollQuickForMs = 3000;

/** Starts the program of a service. Throws SupervisorError('start_failed') when the system cannot. */
export async function launch(spec: ServiceSpec, how: LaunchSpec, context: Context): Promise<Running> {
  const logFromByte = await stat(spec.logPath).then(
    (found) => found.size,
    () => 0,
  );
  try {
    const child = await spawnDetached({
      ...how,
      env: context.childEnv,
      stdoutPath: spec.logPath,
      system: context.system,
      ...(context.spawn === undefined ? {} : { spawn: context.spawn }),
    });
    const ended = new AbortController();
    void child.exited.then((exit) => ended.abort(describeExit(exit)));
    return {
      origin: 'launched',
      process: { pid: child.pid, startedTicks: child.startedTicks },
      ended: ended.signal,
      logFromByte,
      release: () => {},
    };
  } catch (error) {
    throw new SupervisorError(
      'start_failed',
      `${spec.title} cannot be started: ${how.command} in ${how.cwd}: ${messageOf(error)}`,
      { cause: error },
    );
  }
}

function describeExit(exit: Exit): string {
  return exit.signal === null
    ? `it ended with exit code ${exit.code ?? 'unknown'}`
    : `it was ended by ${exit.signal}`;
}

/** Takes over a service that runs already. Its pid is believed only when that process listens on the port of this machine. */
export async function adopt(
  spec: ServiceSpec,
  health: Health,
  context: Pick<Context, 'timing' | 'system'>,
): Promise<Running> {
  const listener = await findListener(spec.port, context.system);
  const startedTicks =
    listener?.pid === health.pid ? await processStartTicks(health.pid, context.system) : null;
  const logFromByte = 0;
  if (startedTicks === null) {
    const never = new AbortController().signal;
    return { origin: 'adopted', process: null, ended: never, logFromByte, release: () => {} };
  }
  const watch = watchExit(health.pid, startedTicks, { timing: context.timing, system: context.system });
  const ended = new AbortController();
  void watch.exited.then(() => ended.abort('it ended'));
  return {
    origin: 'adopted',
    process: { pid: health.pid, startedTicks },
    ended: ended.signal,
    logFromByte,
    release: () => watch.stop(),
  };
}

/** Waits until the service answers as healthy. Throws `start_failed` as soon as it ends, `start_timeout`, or `stopped`. */
export async function untilHealthy(
  spec: ServiceSpec,
  running: Running,
  context: Context,
  signal: AbortSignal,
): Promise<Health> {
  const { timing, limits } = context;
  const wake = AbortSignal.any([signal, running.ended]);
  const from = timing.monotonicMs();
  for (;;) {
    const answer = await probe(
      spec.url,
      expectedOf(spec, context.homeId),
      context.http,
      Math.min(probeTimeoutMs, limits.startTimeoutMs),
    );
    if (signal.aborted) throw new SupervisorError('stopped', `${spec.title} was stopped while it started`);
    if (running.ended.aborted)
      throw await failure('start_failed', spec, running, String(running.ended.reason));
    if (answer.kind === 'ours' && answer.health.status !== 'starting') return answer.health;
    const elapsedMs = timing.monotonicMs() - from;
    if (elapsedMs >= limits.startTimeoutMs) {
      const last = answer.kind === 'ours' ? 'it says that it is starting' : answer.why;
      const what = `it is not healthy after ${limits.startTimeoutMs / 1000} s (SERVICE_START_TIMEOUT): ${last}`;
      throw await failure('start_timeout', spec, running, what);
    }
    await timing.sleep(elapsedMs < readyPollQuickForMs ? readyPollMs : readyPollSlowMs, wake);
  }
}

async function failure(
  code: 'start_failed' | 'start_timeout',
  spec: ServiceSpec,
  running: Running,
  what: string,
): Promise<SupervisorError> {
  const tail = await logTail(spec, running);
  const nothing = (await isDiskFull(spec.logPath))
    ? 'The disk is full, its log too: make room, or set JARVIS_HOME to another disk.'
    : 'It wrote nothing.';
  const lines = tail.length === 0 ? nothing : `Its last lines:\n  ${tail.join('\n  ')}`;
  return new SupervisorError(code, `${spec.title} did not start: ${what}. ${lines}\nLog: ${spec.logPath}`);
}

/** A program that cannot write its log cannot say why it ended. */
async function isDiskFull(path: string): Promise<boolean> {
  return await statfs(path).then(
    ({ bavail, bsize }) => bavail * bsize < fullBelowBytes,
    () => false,
  );
}

/** The last lines that this process wrote to its log. */
export async function logTail(spec: ServiceSpec, running: Running | null): Promise<string[]> {
  return await readLastLines(spec.logPath, logTailLines, running?.logFromByte ?? 0).catch(() => []);
}
