// A child that may outlive us: a session and process group of its own, no input, output appended to a file that it
// writes itself (a pipe to us would kill it with SIGPIPE when we die). What has to hold before its program runs (a memory
// group, a place in the line of the out-of-memory killer) a shell does first, and becomes the program: pid and start time stay.
import { spawn as spawnProcess, type ChildProcess } from 'node:child_process';
import { closeSync, constants, openSync, readFileSync } from 'node:fs';
import { access } from 'node:fs/promises';
import { resolve } from 'node:path';
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
  /** Folder of a cgroup that the child enters before it executes its program. Linux only. */
  readonly memoryGroup?: string | null;
  /** Of -1000 to 1000: who is first in line for the kernel's out-of-memory killer. Linux only. */
  readonly oomScoreAdjustment?: number;
  readonly spawn?: typeof spawnProcess;
  readonly system?: System;
}

/** Where a shell looks that has no PATH. */
const DEFAULT_PATH = '/usr/local/bin:/usr/bin:/bin';

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

/** The words are the shell's arguments, never part of its text. Who cannot enter its group does not run without. */
const PROLOGUE = `group=$1 adjustment=$2
shift 2
if [ -n "$group" ]; then echo $$ > "$group/cgroup.procs" || exit 126; fi
if [ -n "$adjustment" ]; then { echo "$adjustment" > /proc/self/oom_score_adj; } 2>/dev/null; fi
exec "$@"`;

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
  const [command, args] = await commandOf(options, system);
  const output = openSync(options.stdoutPath, 'a', 0o600);
  let child: ChildProcess;
  try {
    child = spawn(command, args, {
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

async function commandOf(options: DetachedOptions, system: System): Promise<[string, string[]]> {
  const { command, args, memoryGroup = null, oomScoreAdjustment } = options;
  if (system.platform !== 'linux' || (memoryGroup === null && oomScoreAdjustment === undefined))
    return [command, [...args]];
  // A shell that does not find its program ends like one that ran: it is looked for before.
  await findProgram(command, options);
  const adjustment = oomScoreAdjustment === undefined ? '' : String(oomScoreAdjustment);
  return ['/bin/sh', ['-c', PROLOGUE, 'sh', memoryGroup ?? '', adjustment, command, ...args]];
}

/** Rejects as spawn would, with ENOENT or EACCES. */
async function findProgram(command: string, { cwd, env }: DetachedOptions): Promise<void> {
  const folders = command.includes('/') ? [cwd] : (env['PATH'] ?? DEFAULT_PATH).split(':');
  let refused: NodeJS.ErrnoException | undefined;
  for (const folder of folders) {
    try {
      return await access(resolve(cwd, folder, command), constants.X_OK);
    } catch (error) {
      refused ??= error as NodeJS.ErrnoException;
      if ((error as NodeJS.ErrnoException).code === 'EACCES') refused = error as NodeJS.ErrnoException;
    }
  }
  const code = refused?.code ?? 'ENOENT';
  throw Object.assign(new Error(`spawn ${command} ${code}`, { cause: refused }), { code });
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
