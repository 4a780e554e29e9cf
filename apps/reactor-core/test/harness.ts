// Reactor Core with its database and real trainers in a home of its own, beside a fixture JARVIS Core; all of it is gone
// when the test is over, and a trainer that is left then fails the test.
//
//   const world = await makeWorld(t);            a home, a free port, a JARVIS Core
//   const reactor = await world.start();         in this process        world.spawn(): as a program, that may be killed
//   await reactor.start(world.body({ ... }));    calls, as in client.ts
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TrainingStartInput } from '@jarvis/contracts';
import { readHomeId, readProcess, signalProcess } from '@jarvis/process';
import {
  type Clock,
  type Logger,
  readConfig,
  type Service,
  silentLogger,
  systemClock,
  systemRandom,
} from '@jarvis/runtime';
import { exited, freePort } from '@jarvis/testkit';
import { startReactorCore } from '../src/app.ts';
import { MemoryGroups } from '../src/executors/memory-groups.ts';
import { Client } from './client.ts';
import { commands } from './experiences.ts';
import { FixtureCore } from './fixture-core.ts';
import { until } from './until.ts';

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const SCRIPTED = fileURLToPath(new URL('trainers/scripted.ts', import.meta.url));
const REMOVAL_TRIES = 10;

/** `TRAINER_NLU_COMMAND` of the scripted trainer. */
export const SCRIPTED_TRAINER = `"${process.execPath}" "${SCRIPTED}"`;

type Env = Readonly<Record<string, string>>;

/** A test, or whatever else comes to an end: what was made is undone then. */
export interface Ending {
  after(undo: () => Promise<void>): void;
}

export interface WorldOptions {
  readonly env?: Env;
  /** A home to begin with, that is copied. */
  readonly seed?: string;
  /** Without it nothing answers where JARVIS Core ought to be. */
  readonly core?: boolean;
}

export type Reactor = Client & { readonly service: Service; stop(): Promise<void> };
export type ReactorProgram = Client & { readonly child: ChildProcess; kill(): Promise<void> };

export interface World {
  readonly home: string;
  readonly core: FixtureCore;
  readonly env: Env;
  readonly start: (options?: { clock?: Clock; env?: Env; logger?: Logger }) => Promise<Reactor>;
  readonly spawn: () => Promise<ReactorProgram>;
  /** A start request for the scripted trainer in this mode, with a token unless it is left out by `fencing_token: undefined`. */
  readonly body: (change: Partial<TrainingStartInput> & { mode?: string }) => TrainingStartInput;
  /** Lets a trainer go on that is held. */
  readonly release: (jobId: string) => Promise<void>;
  /** The attempts of a job whose trainer was started, in order. */
  readonly starts: (jobId: string) => Promise<string[]>;
  /** The attempts of a job that have heard SIGTERM. */
  readonly terms: (jobId: string) => Promise<string[]>;
  /** Live processes of this home's trainers, and what they have started. */
  readonly trainers: () => Promise<number[]>;
  readonly untilNoTrainer: () => Promise<void>;
  /** With SIGKILL; resolves when they are gone. */
  readonly killTrainers: () => Promise<void>;
  readonly file: (...path: string[]) => string;
}

export async function makeWorld(t: Ending, options: WorldOptions = {}): Promise<World> {
  const home = await mkdtemp(join(tmpdir(), 'jarvis-reactor-'));
  const core = new FixtureCore();
  const running: { stop(): Promise<void> }[] = [];
  t.after(async () => {
    for (const one of running) await one.stop();
    await killAll(home);
    const homeId = await readHomeId(home);
    if (homeId !== null) await new MemoryGroups({ homeId, folder: home }).removeOthers([]);
    await core.stop();
    await rm(home, { recursive: true, force: true, maxRetries: REMOVAL_TRIES });
  });
  await core.start();
  if (options.core === false) await core.stop();
  const env: Env = {
    JARVIS_HOME: home,
    JARVIS_CORE_API_URL: core.url,
    REACTOR_CORE_PORT: String(await freePort()),
    REACTOR_API_RETRIES: '0',
    ROLLOUT_CHECK_INTERVAL: '0.02',
    TRAINER_NLU_COMMAND: SCRIPTED_TRAINER,
    TRAINER_STOP_GRACE: '20',
    ...options.env,
  };
  if (options.seed !== undefined) await cp(options.seed, home, { recursive: true });
  const trainers = (): Promise<number[]> => trainersOf(home);
  return {
    home,
    core,
    env,
    trainers,
    untilNoTrainer: async () => untilGone(home, await trainers()),
    killTrainers: () => killAll(home),
    start: async ({ clock = systemClock, env: more = {}, logger = silentLogger() } = {}) => {
      const reactor = await startHere(home, { ...env, ...more }, { clock, logger });
      running.push(reactor);
      return reactor;
    },
    spawn: async () => {
      const program = await startProgram(home, env);
      running.push({ stop: () => program.kill() });
      return program;
    },
    body: ({ mode = 'steady', ...change }) => ({
      job_id: 'job-1',
      model_type: 'nlu',
      experiences: commands(2, 2),
      epochs: 3,
      checkpoint_interval: 1,
      config: { model_architecture: mode },
      fencing_token: 1,
      ...change,
    }),
    release: (jobId) => writeFile(join(home, 'reactor-core', 'runs', jobId, 'release'), ''),
    starts: async (jobId) => lines(join(home, 'reactor-core', 'runs', jobId, 'starts')),
    terms: async (jobId) => lines(join(home, 'reactor-core', 'runs', jobId, 'terms')),
    file: (...path) => join(home, 'reactor-core', ...path),
  };
}

async function startHere(home: string, env: Env, how: { clock: Clock; logger: Logger }): Promise<Reactor> {
  const read = readConfig({ environment: env, cwd: home });
  assert.ok(read.ok, read.ok ? '' : read.problems.join('\n'));
  const { config } = read;
  // HOME is where a trainer is known by when it is looked for.
  const environment = { PATH: process.env['PATH'], HOME: home };
  const service = await startReactorCore({
    config,
    environment,
    random: systemRandom,
    ...how,
  });
  return Object.assign(new Client(config.urls['reactor-core']), { service, stop: () => service.stop() });
}

async function startProgram(home: string, env: Env): Promise<ReactorProgram> {
  const child = spawn(process.execPath, [MAIN], {
    cwd: home,
    env: { PATH: process.env['PATH'], HOME: home, JARVIS_LOG_LEVEL: 'error', ...env },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const client = new Client(`http://127.0.0.1:${env['REACTOR_CORE_PORT']}`);
  await until('Reactor Core to answer', async () => {
    assert.equal(child.exitCode, null, 'Reactor Core has exited');
    return client.call('GET', '/health').then(
      () => true,
      () => false,
    );
  });
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await exited(child);
  };
  return Object.assign(client, { child, kill });
}

async function lines(path: string): Promise<string[]> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return text.split('\n').filter((line) => line !== '');
}

/** Known by a path below the home among the words of their command line. */
async function trainersOf(home: string): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      const words = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      return words.includes(join(home, 'reactor-core', 'runs')) ? [Number(pid)] : [];
    }),
  );
  return found.flat();
}

/** Seen from outside a process loses its words before it is gone: it is waited for by its number. */
async function untilGone(home: string, pids: readonly number[]): Promise<void> {
  const left = async (): Promise<number> => {
    const rows = await Promise.all(pids.map((pid) => readProcess(pid)));
    return rows.filter((row) => row !== null).length + (await trainersOf(home)).length;
  };
  await until('no trainer to be left', async () => (await left()) === 0);
}

async function killAll(home: string): Promise<void> {
  const pids = await trainersOf(home);
  for (const pid of pids) signalProcess(pid, 'SIGKILL');
  await untilGone(home, pids);
}
