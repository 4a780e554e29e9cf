// The command line as a real program: in a folder of its own, on ports of its own, with nothing of this machine's settings.
import { type ChildProcess, spawn } from 'node:child_process';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { freePorts, tempFolder, until } from '@jarvis/testkit';

const CLI = fileURLToPath(new URL('../bin/jarvis.js', import.meta.url));
/** A whole start of the services on a machine that has much else to do. */
const OUTPUT_LIMIT_MS = 120_000;

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  stdout(): string;
  stderr(): string;
  /** Waits for output; throws with all of it when the program ends without. */
  says(pattern: RegExp): Promise<void>;
}

type Env = Readonly<Record<string, string | undefined>>;

export interface Fixture {
  /** Where the programs run; all they write is to lie below it. What still runs when the test ends is stopped. */
  readonly folder: string;
  readonly home: string;
  readonly ports: readonly number[];
  start(args: readonly string[], env?: Env): Running;
  run(args: readonly string[], env?: Env): Promise<Ended>;
  /** `up`, when all three are operational. */
  up(env?: Env): Promise<Running>;
}

export async function fixture(t: TestContext): Promise<Fixture> {
  const started: Running[] = [];
  let upIn: Env | null = null;
  // Hooks run in this order: all is stopped, then the folder goes.
  t.after(async () => {
    await Promise.all(started.map(stop));
    // Also when the supervisor was killed: its services would go on.
    if (upIn !== null) await startCli(['down'], upIn, folder).ended;
  });
  const folder = await tempFolder(t);
  const home = join(folder, 'home');
  const ports = await freePorts(3);
  const base: Env = {
    PATH: process.env['PATH'],
    HOME: folder,
    TMPDIR: folder,
    JARVIS_HOME: home,
    JARVIS_PORT: String(ports[0]),
    JARVIS_PRIME_PORT: String(ports[1]),
    REACTOR_CORE_PORT: String(ports[2]),
  };
  const start = (args: readonly string[], env: Env = {}): Running => {
    const all = { ...base, ...env };
    const running = startCli(args, all, folder);
    started.push(running);
    if (args[0] === 'up') upIn = all;
    return running;
  };
  const up = async (env: Env = {}): Promise<Running> => {
    const running = start(['up'], env);
    await running.says(/3\/3 operational[\s\S]*Ctrl-C/);
    return running;
  };
  return { folder, home, ports, start, run: (args, env) => start(args, env).ended, up };
}

/** The second signal kills what the first cannot stop. */
async function stop({ child, ended }: Running): Promise<void> {
  await until('a program to end', () => hasEnded(child) || !child.kill('SIGTERM'));
  await ended;
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

function startCli(args: readonly string[], env: Env, cwd: string): Running {
  const child = spawn(process.execPath, [CLI, ...args], { env, cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject).on('close', (code) => resolve({ code, stdout, stderr }));
  });
  const says = async (pattern: RegExp): Promise<void> => {
    await until(
      `${args.join(' ')} to say ${String(pattern)}`,
      () => {
        if (pattern.test(stdout + stderr)) return true;
        if (!hasEnded(child)) return false;
        throw new Error(`${args.join(' ')} ended without ${String(pattern)}:\n${stdout}\n${stderr}`);
      },
      OUTPUT_LIMIT_MS,
    );
  };
  return { child, ended, stdout: () => stdout, stderr: () => stderr, says };
}

export async function isListening(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

export async function listening(ports: readonly number[]): Promise<number[]> {
  const found = await Promise.all(ports.map(async (port) => ({ port, taken: await isListening(port) })));
  return found.filter(({ taken }) => taken).map(({ port }) => port);
}
