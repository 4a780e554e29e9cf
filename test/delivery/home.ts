// One home with the whole system in it, as a user runs it (`jarvis up`), and the calls that the proofs of delivery make.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import {
  type Deployment,
  type Health,
  healthSchema,
  type Route,
  routesSchema,
  type ServiceName,
} from '@jarvis/contracts';
import { FAILPOINTS_VARIABLE, markOf } from '@jarvis/failpoints';
import { until } from '@jarvis/testkit';
import { getJson, makeSystem, type System, untilUp } from '../chaos/system.ts';

const CLI = fileURLToPath(new URL('../../apps/cli/bin/jarvis.js', import.meta.url));
const CALL_LIMIT_MS = 30_000;
const UP_LIMIT_MS = 120_000;

/** So many candidate requests a step needs; small, so that steps follow each other quickly. */
export const STEP_REQUESTS = 20;
/** The weights of a rollout, in percent. */
export const STEPS = [10, 25, 50, 75, 100] as const;

/** Nothing trains or gives way by itself; steps are short; all versions are kept; the judge hears only of what clients count. */
const SETTINGS = {
  MAX_TOTAL_MEMORY_GB: '100000',
  TRAINING_BASELINE_ENABLED: 'false',
  TRAINING_AUTO_TRIGGER_ENABLED: 'false',
  MODEL_VERSIONS_KEPT: '50',
  ROLLOUT_STEPS: STEPS.join(','),
  ROLLOUT_STEP_SECONDS: '0.5',
  ROLLOUT_STEP_MIN_REQUESTS: String(STEP_REQUESTS),
  ROLLOUT_SHADOW_SHARE: '0',
  SERVICE_PROBE_INTERVAL: '1',
} as const;

export interface Home {
  readonly system: System;
  /** The answer of a call that has to work. */
  call<T>(service: ServiceName, call: string, body?: unknown): Promise<T>;
  cli(...args: string[]): Promise<string>;
  /** SIGKILL to the supervisor and everything it has started. */
  killAll(): Promise<void>;
  /** Starts all of it and waits until all three answer, and J-Prime serves what it knew. */
  up(): Promise<void>;
  /** The next Reactor Core that is started loses its answer to the first delivery of evidence, which it has taken. */
  loseReceipt(): Promise<void>;
  /** Whether that has happened. */
  receiptWasLost(): boolean;
  /** The environment by which a program finds this home. */
  readonly environment: Readonly<Record<string, string>>;
}

/** @param models below which folders with models to import lie */
export async function makeHome(folder: string, models: string): Promise<Home> {
  await mkdir(folder, { recursive: true });
  const plan = join(folder, 'failpoints.json');
  await writeFile(plan, '[]');
  const extra = { ...SETTINGS, TRAINING_DATA_DIR: models, [FAILPOINTS_VARIABLE]: plan };
  const system = await makeSystem(folder, extra);
  const portOf = (service: ServiceName): string => new URL(system.urls[service]).port;
  const environment = {
    JARVIS_HOME: system.home,
    JARVIS_PORT: portOf('jarvis-core'),
    JARVIS_PRIME_PORT: portOf('j-prime'),
    REACTOR_CORE_PORT: portOf('reactor-core'),
  };
  return {
    system,
    environment,
    call: async <T>(service: ServiceName, call: string, body?: unknown): Promise<T> => {
      const [method = 'GET', path = ''] = call.split(' ');
      const response = await fetch(system.urls[service] + path, {
        method,
        signal: AbortSignal.timeout(CALL_LIMIT_MS),
        ...(body === undefined
          ? {}
          : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      });
      const text = await response.text();
      assert.equal(response.status, 200, `${call}: ${text}`);
      return JSON.parse(text) as T;
    },
    cli: async (...args) => {
      const env = { ...process.env, ...environment };
      return (await promisify(execFile)(process.execPath, [CLI, ...args], { env, cwd: folder })).stdout;
    },
    killAll: async () => {
      system.giveUp();
      await system.killSupervisor();
      await until('everything to be gone', async () => {
        const left = await system.processes();
        for (const pid of left) killIfThere(pid);
        return left.length === 0;
      });
    },
    loseReceipt: async () => {
      await rm(markOf(plan, 0), { force: true });
      const entry = { action: 'lose_reply', request: 'reactor-core POST /api/evidence' };
      await writeFile(plan, JSON.stringify([entry]));
    },
    receiptWasLost: () => existsSync(markOf(plan, 0)),
    up: async () => {
      system.up();
      await untilUp(system, UP_LIMIT_MS);
      // What it has served before it loads first.
      await until(
        'J-Prime to have loaded what it serves',
        async () => (await getJson<Health>(`${system.urls['j-prime']}/health`))?.status !== 'starting',
        UP_LIMIT_MS,
      );
    },
  };
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

export async function routeOf(home: Home): Promise<Route | undefined> {
  const { routes } = routesSchema.parse(await home.call('reactor-core', 'GET /api/routes'));
  return routes.find((route) => route.model_type === 'nlu');
}

export async function servedVersion(home: Home): Promise<string | undefined> {
  return healthSchema.parse(await home.call('j-prime', 'GET /health')).models_deployed['nlu'];
}

export type Candidate = NonNullable<Route['candidate']>;

/** Begins a rollout; answers its id. */
export async function deploy(
  home: Home,
  version: string,
  strategy: 'immediate' | 'gradual_rollout' = 'gradual_rollout',
): Promise<string> {
  const body = { model_type: 'nlu', model_version: version, strategy };
  return (await home.call<{ deployment_id: string }>('reactor-core', 'POST /api/models/deploy', body))
    .deployment_id;
}

export function deploymentOf(home: Home, id: string): Promise<Deployment> {
  return home.call('reactor-core', `GET /api/deployments/${id}`);
}

/** The deployment once it is in one of these states. */
export function untilState(
  home: Home,
  id: string,
  ...states: readonly Deployment['state'][]
): Promise<Deployment> {
  let last: Deployment | null = null;
  return until(
    () => `${states.join(' or ')}, but ${JSON.stringify(last)}`,
    async () => {
      last = await deploymentOf(home, id);
      return states.includes(last.state) ? last : null;
    },
    60_000,
  );
}

/** Everybody is served this version, by everything that has to happen. */
export async function makeStable(home: Home, version: string): Promise<void> {
  if ((await routeOf(home))?.stable.version !== version)
    await untilState(home, await deploy(home, version, 'immediate'), 'promoted');
  await until(`${version} to be served`, async () => (await servedVersion(home)) === version, 60_000);
}

export async function candidateOf(home: Home, id: string): Promise<Candidate> {
  return until('the candidate to be routed', async () => {
    const candidate = (await routeOf(home))?.candidate;
    return candidate?.deployment_id === id ? candidate : null;
  });
}

export function blobPath(home: Home, sha256: string): string {
  return join(home.system.home, 'reactor-core', 'registry', 'blobs', sha256);
}
