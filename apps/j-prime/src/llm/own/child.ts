// The process of an LLM server: started by us, or left by a J-Prime that was killed and found again.
import { stat } from 'node:fs/promises';
import {
  type Exit,
  isSameProcess,
  readLastLines,
  spawnHeld,
  type StopResult,
  stopProcess,
  watchExit,
} from '@jarvis/process';
import { type LlmOwner, writeOwner } from './owner-file.ts';

export interface Child {
  readonly pid: number;
  readonly startedTicks: number;
  readonly port: number;
  readonly origin: 'started' | 'adopted';
  /** Where in the log it began. */
  readonly logFromByte: number;
  /** Aborted once it is gone; the reason says how, in words. */
  readonly ended: AbortSignal;
  /** Ends the watch over a process that is not our child. */
  release(): void;
}

export interface ChildPlan {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly logPath: string;
  readonly ownerPath: string;
  readonly fingerprint: string;
  readonly port: number;
}

const PORT_PLACEHOLDER = '{port}';
const LOG_TAIL_LINES = 10;
/** A line of a log may hold a whole prompt. */
const LOG_LINE_CHARACTERS_MAX = 300;
/** What the server leaves behind in its group when it ends gets so long to end by itself. */
const LEFT_BEHIND_GRACE_MS = 500;

/** Rejects with the system's error when there can be no process at all. */
export async function startChild(plan: ChildPlan): Promise<Child> {
  const [command = '', ...args] = plan.command.map((word) =>
    word.replaceAll(PORT_PLACEHOLDER, String(plan.port)),
  );
  const logFromByte = await sizeOf(plan.logPath);
  const child = await spawnHeld({
    command,
    args,
    env: { ...plan.env, PORT: String(plan.port) },
    cwd: plan.cwd,
    stdoutPath: plan.logPath,
  });
  const { pid, startedTicks } = child;
  const ended = new AbortController();
  void child.exited.then((exit) => ended.abort(inWords(exit)));
  const { fingerprint, port } = plan;
  try {
    const owner = { pid, started_ticks: startedTicks, port, fingerprint, log_from_byte: logFromByte };
    await writeOwner(plan.ownerPath, owner);
  } catch (error) {
    child.signalGroup('SIGKILL');
    throw error;
  }
  child.begin();
  child.unref();
  return {
    pid,
    startedTicks,
    port,
    origin: 'started',
    logFromByte,
    ended: ended.signal,
    release: () => undefined,
  };
}

/** Null when that process is gone. */
export async function adoptChild(owner: LlmOwner): Promise<Child | null> {
  const { pid, started_ticks: startedTicks, port, log_from_byte: logFromByte } = owner;
  if (!(await isSameProcess(pid, startedTicks))) return null;
  const watch = watchExit(pid, startedTicks);
  const ended = new AbortController();
  void watch.exited.then(() => ended.abort('it ended'));
  return {
    pid,
    startedTicks,
    port,
    origin: 'adopted',
    logFromByte,
    ended: ended.signal,
    release: () => watch.stop(),
  };
}

export async function stopChild(child: Child, graceMs: number): Promise<StopResult> {
  const { pid, startedTicks } = child;
  return await stopProcess({ pid, startedTicks, sweepGroup: true, termGraceMs: graceMs });
}

/** What one that ended by itself has left in its group. */
export async function sweepAfter(child: Child): Promise<StopResult> {
  return await stopChild(child, LEFT_BEHIND_GRACE_MS);
}

/** The last lines that it wrote, for an error message. */
export async function lastLines(child: Child, logPath: string): Promise<string> {
  const lines = await readLastLines(logPath, LOG_TAIL_LINES, child.logFromByte).catch(() => []);
  if (lines.length === 0) return `It wrote nothing to ${logPath}.`;
  const cut = lines.map((line) => `  ${line.slice(0, LOG_LINE_CHARACTERS_MAX)}`);
  return `Its last lines (${logPath}):\n${cut.join('\n')}`;
}

function inWords({ code, signal }: Exit): string {
  return signal === null ? `it ended with exit code ${code ?? 'unknown'}` : `it was ended by ${signal}`;
}

async function sizeOf(path: string): Promise<number> {
  return await stat(path).then(
    ({ size }) => size,
    () => 0,
  );
}
