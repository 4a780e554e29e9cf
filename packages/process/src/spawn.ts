// A child that may outlive us: a session and process group of its own, no input, output appended to a file that it
// writes itself (a pipe to us would kill it with SIGPIPE when we die).
import { spawn as spawnProcess, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import type { Writable } from 'node:stream';
import { parseStat } from './processes.ts';
import { processStartTicks } from './identity.ts';
import { thisSystem, type System } from './system.ts';

export interface DetachedOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Standard output and error are appended here; made with mode 0600 when it is not there. */
  readonly stdoutPath: string;
  readonly spawn?: typeof spawnProcess;
  readonly system?: System;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface DetachedProcess {
  readonly pid: number;
  /** With the pid, the identity of the process; 0 when it was gone before it could be read, and equals nobody's. */
  readonly startedTicks: number;
  readonly exited: Promise<Exit>;
  /** Sends to the whole group; false when there is nobody left in it. */
  signalGroup(signal: NodeJS.Signals): boolean;
  /** Lets our own process end while the child lives. */
  unref(): void;
}

export interface HeldProcess extends DetachedProcess {
  /** Lets the program begin, under the identity that it has already. */
  begin(): void;
}

/**
 * What a held process runs until it may begin. `exec` keeps pid and start time; when we die before, the pipe ends and
 * the shell with it.
 */
const HOLD = 'read -r go && exec "$@" < /dev/null';

/** Starts the program; rejects with the system's error (ENOENT, EACCES, EAGAIN) when it cannot be started. */
export async function spawnDetached(options: DetachedOptions): Promise<DetachedProcess> {
  const { input: _, ...child } = await start(options, 'ignore');
  return child;
}

/**
 * Makes the process of a program and holds it back until `begin`, so that its identity can be written down before it does
 * anything: who dies in between leaves nobody behind. A program that is not there ends with code 127, and says so in its
 * output. Needs a POSIX shell.
 */
export async function spawnHeld(options: DetachedOptions): Promise<HeldProcess> {
  const args = ['-c', HOLD, 'sh', options.command, ...options.args];
  const { input, ...child } = await start({ ...options, command: '/bin/sh', args }, 'pipe');
  // One that is stopped while it is held has closed its end.
  input?.on('error', () => undefined);
  return { ...child, begin: () => void input?.end('\n') };
}

async function start(
  options: DetachedOptions,
  stdin: 'ignore' | 'pipe',
): Promise<DetachedProcess & { readonly input: Writable | null }> {
  const { spawn = spawnProcess, system = thisSystem } = options;
  const output = openSync(options.stdoutPath, 'a', 0o600);
  let child: ChildProcess;
  try {
    child = spawn(options.command, [...options.args], {
      cwd: options.cwd,
      env: { ...options.env },
      detached: true,
      stdio: [stdin, output, output],
    });
  } finally {
    closeSync(output);
  }
  const exited = new Promise<Exit>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
  const { pid } = child;
  // Read before the event loop turns: until then even a child that ended at once has not been reaped.
  const startedNow = pid === undefined || system.platform !== 'linux' ? null : startTicksNow(pid, system);
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  const started = pid as number;
  return {
    input: child.stdin,
    pid: started,
    startedTicks: startedNow ?? (await processStartTicks(started, system)) ?? 0,
    exited,
    signalGroup: (signal) => signalGroup(started, signal),
    unref: () => child.unref(),
  };
}

function startTicksNow(pid: number, system: System): number | null {
  try {
    return parseStat(readFileSync(`${system.root}/proc/${pid}/stat`, 'latin1'))?.startTicks ?? null;
  } catch {
    return null;
  }
}

/** Sends a signal to a process group; false when nobody is left in it. Other errors (EPERM) are thrown. */
export function signalGroup(pgid: number, signal: NodeJS.Signals): boolean {
  return send(-pgid, signal);
}

/** Sends a signal to one process; false when it is gone. */
export function signalProcess(pid: number, signal: NodeJS.Signals): boolean {
  return send(pid, signal);
}

function send(target: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(target, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}
