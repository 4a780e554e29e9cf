// The demo's own system: the same supervisor and services as `jarvis up`, with a home and ports of its own.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ENVIRONMENT, EXIT_CONFIG, type Group, SERVICES, type VariableName } from '@jarvis/contracts';
import { type Config, readConfig } from '@jarvis/runtime';
import { startSupervisor, type Supervisor } from '@jarvis/supervisor';
import { CommandError } from '../exit.ts';
import { runStoreProgram } from '../store-programs.ts';
import { supervisorOptions } from '../supervision.ts';
import type { World } from '../world.ts';
import { createPatientClient, type PatientClient } from './calls.ts';
import type { Utterance } from './data-set.ts';

/** Times are shortened, so that three days fit into a minute. No threshold is touched. */
const SHORTENED = {
  TRAINING_CHECK_INTERVAL: '0.25',
  TRAINING_RETRY_DELAY: '0.5',
  CHECKPOINT_INTERVAL_EPOCHS: '2',
  RESOURCE_CHECK_INTERVAL: '0.5',
  ROLLOUT_STEP_SECONDS: '1',
  ROLLOUT_CHECK_INTERVAL: '0.2',
  EVIDENCE_FLUSH_INTERVAL: '0.2',
  SERVICE_PROBE_INTERVAL: '0.5',
  SERVICE_RESTART_DELAY: '0.1',
  SERVICE_RESTART_WINDOW: '10',
  // The hour of the night is not to fall into the demo: only its days' experiences start a training.
  TRAINING_CRON_SCHEDULE: '0 0 29 2 *',
} as const satisfies Partial<Record<VariableName, string>>;

/** Settings of the user that hold here too; where things lie and how the loop runs is the demo's own. */
const INHERITED_GROUPS: readonly Group[] = ['memory', 'calls', 'logs'];

const DEMO_RUN_CHARS = 12;

export interface DemoSystem {
  readonly config: Config;
  readonly supervisor: Supervisor;
  readonly core: PatientClient;
  readonly prime: PatientClient;
  readonly reactor: PatientClient;
}

export interface SystemOptions {
  readonly world: World;
  readonly home: string;
  readonly database: DemoDatabase | null;
  readonly seed: readonly Utterance[];
  /** TRAINING_MIN_NEW_EXPERIENCES: what a day brings. */
  readonly threshold: number;
  readonly signal: AbortSignal;
  readonly writeError: (text: string) => void;
}

/** Schemas of this run alone in a Postgres of the user's. */
export interface DemoDatabase {
  readonly environment: { readonly DATABASE_URL: string; readonly DATABASE_SCHEMA_PREFIX: string };
}

/** A DATABASE_URL of the environment is somebody's data: the demo takes one only by its own option. */
export function demoDatabase(url: string, random: World['random']): DemoDatabase {
  const run = random.id('').replaceAll('-', '').slice(0, DEMO_RUN_CHARS);
  return { environment: { DATABASE_URL: url, DATABASE_SCHEMA_PREFIX: `demo_${run}_` } };
}

export async function dropDemoSchemas(world: World, home: string, database: DemoDatabase): Promise<void> {
  const environment = { ...inheritedFrom(world.environment), ...database.environment, JARVIS_HOME: home };
  for (const service of SERVICES) await runStoreProgram({ service, verb: 'drop', environment, cwd: home });
}

export async function makeDemoHome(): Promise<string> {
  const folder = tmpdir();
  try {
    return await mkdtemp(join(folder, 'jarvis-demo-'));
  } catch (error) {
    throw new CommandError(
      `no folder for the demo can be made in ${folder}: ${(error as Error).message}\nSet TMPDIR to a folder that can be written.`,
    );
  }
}

/** The kernel may still be at it when a killed process's files go; rm tries again. */
export async function removeDemoHome(home: string): Promise<void> {
  await rm(home, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
}

/** Begins to start the services; `supervisor.ready` says when they are up. */
export async function startDemoSystem(options: SystemOptions): Promise<DemoSystem> {
  const { home, world, signal } = options;
  const seedPath = join(home, 'seed.jsonl');
  await writeFile(seedPath, options.seed.map((row) => `${JSON.stringify(row)}\n`).join(''));
  const environment = await demoEnvironment(world.environment, { ...options, seedPath });
  // The demo's own home as the folder: a .env of the user's is not for it.
  const read = readConfig({ environment, cwd: home });
  if (!read.ok)
    throw new CommandError(
      `The demo cannot run with this configuration:\n  ${read.problems.join('\n  ')}`,
      EXIT_CONFIG,
    );
  const { config } = read;
  const demoWorld = { ...world, environment, cwd: home };
  const supervisor = await startSupervisor(supervisorOptions(config, demoWorld, options.writeError));
  const client = (service: 'jarvis-core' | 'j-prime' | 'reactor-core'): PatientClient =>
    createPatientClient({ service, baseUrl: config.urls[service], clock: world.clock, signal });
  return {
    config,
    supervisor,
    core: client('jarvis-core'),
    prime: client('j-prime'),
    reactor: client('reactor-core'),
  };
}

interface DemoPlaces extends Pick<SystemOptions, 'home' | 'threshold' | 'database'> {
  readonly seedPath: string;
}

function inheritedFrom(outer: World['environment']): Record<string, string | undefined> {
  const kept = Object.entries(outer).filter(
    ([name]) => !(name in ENVIRONMENT) || INHERITED_GROUPS.includes(ENVIRONMENT[name as VariableName].group),
  );
  return Object.fromEntries(kept);
}

/** The user's environment without what is the demo's to decide, and with that. */
export async function demoEnvironment(
  outer: World['environment'],
  { home, threshold, seedPath, database }: DemoPlaces,
): Promise<Record<string, string | undefined>> {
  const [core, prime, reactor] = await freePorts(3);
  return {
    ...inheritedFrom(outer),
    ...database?.environment,
    ...SHORTENED,
    JARVIS_HOME: home,
    NLU_SEED_PATH: seedPath,
    TRAINING_MIN_NEW_EXPERIENCES: String(threshold),
    JARVIS_PORT: String(core),
    JARVIS_PRIME_PORT: String(prime),
    REACTOR_CORE_PORT: String(reactor),
  };
}

/** Ports that nobody listens on, asked for together so that they differ. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  try {
    return await Promise.all(
      servers.map(async (server) => {
        await new Promise<void>((resolve, reject) => {
          server.once('error', reject).listen(0, '127.0.0.1', resolve);
        });
        return (server.address() as AddressInfo).port;
      }),
    );
  } finally {
    await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  }
}
