// The command line as a real program: in a folder of its own, on ports of its own, with nothing of this machine's settings.
import { type ChildProcess, spawn } from 'node:child_process';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { tempFolder, until } from '@jarvis/testkit';

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
  /** Where the programs run; all they write is to lie below it. */
  readonly folder: string;
  readonly home: string;
  readonly ports: readonly number[];
  start(args: readonly string[], env?: Env): Running;
  run(args: readonly string[], env?: Env): Promise<Ended>;
  /** `up` until all three are operational; what is left of it when the test ends is stopped. */
  up(env?: Env): Promise<Running>;
}

export async function fixture(t: TestContext): Promise<Fixture> {
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
    const running = startCli(args, { ...base, ...env }, folder);
    t.after(async () => {
      running.child.kill('SIGTERM');
      await running.ended;
    });
    return running;
  };
  const run = (args: readonly string[], env: Env = {}): Promise<Ended> => start(args, env).ended;
  const up = async (env: Env = {}): Promise<Running> => {
    // Also when the supervisor is killed: its services would go on.
    t.after(() => run(['down'], env));
    const running = start(['up'], env);
    await running.says(/3\/3 operational[\s\S]*Ctrl-C/);
    return running;
  };
  return { folder, home, ports, start, run, up };
}

function startCli(args: readonly string[], env: Env, cwd: string): Running {
  const child = spawn(process.execPath, [CLI, ...args], { env, cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const ended = new Promise<Ended>((resolve) => {
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
  const says = async (pattern: RegExp): Promise<void> => {
    await until(
      `${args.join(' ')} to say ${String(pattern)}`,
      () => {
        if (pattern.test(stdout + stderr)) return true;
        if (child.exitCode === null && child.signalCode === null) return false;
        throw new Error(`${args.join(' ')} ended without ${String(pattern)}:\n${stdout}\n${stderr}`);
      },
      OUTPUT_LIMIT_MS,
    );
  };
  return { child, ended, stdout: () => stdout, stderr: () => stderr, says };
}

/** Ports that nobody listens on, asked for together so that they differ. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve) => {
          server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
        }),
    ),
  );
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
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
