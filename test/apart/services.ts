// The three services as programs of their own in one home, without a supervisor: each is started, killed and started again
// by the test alone, so that the others are left without it for as long as the test likes.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  type Health,
  healthSchema,
  invariantReportSchema,
  type ServiceName,
  SERVICES,
} from '@jarvis/contracts';
import { FAILPOINTS_VARIABLE, markOf } from '@jarvis/failpoints';
import { findHomeProcesses } from '@jarvis/process';
import { afterwards, exited, freePorts, tempFolder, until } from '@jarvis/testkit';
import { getJsonWithin } from '../get-json.ts';
import { storedRows } from '../stored-rows.ts';

const APPS = fileURLToPath(new URL('../../apps', import.meta.url));
/** Holds at an epoch until it is released. */
const SCRIPTED = join(APPS, 'reactor-core/test/trainers/scripted.ts');
const CALL_LIMIT_MS = 20_000;
const START_LIMIT_MS = 60_000;

/** A rollout that goes to everybody at once and stays there; intervals are short, nothing else is changed. */
const SETTINGS = {
  MAX_TOTAL_MEMORY_GB: '100000',
  TRAINING_BASELINE_ENABLED: 'false',
  TRAINING_AUTO_TRIGGER_ENABLED: 'false',
  TRAINING_RETRY_DELAY: '0.1',
  RESOURCE_CHECK_INTERVAL: '0.2',
  EVIDENCE_FLUSH_INTERVAL: '0.05',
  ROLLOUT_CHECK_INTERVAL: '0.1',
  ROLLOUT_STEPS: '100',
  ROLLOUT_STEP_MIN_REQUESTS: '100000',
  // The evidence is counted from outside: one piece for each correction.
  ROLLOUT_SHADOW_SHARE: '0',
  AB_TEST_INITIAL_PERCENTAGE: '100',
  REACTOR_API_RETRIES: '0',
  TRAINING_LOCK_TTL: '5',
  MEMORY_LEASE_TTL: '5',
} as const;

export interface Services {
  readonly home: string;
  start(service: ServiceName): Promise<void>;
  /** SIGKILL; resolves when it is gone. */
  kill(service: ServiceName): Promise<void>;
  /** The answer of a call that has to work. */
  call<T>(service: ServiceName, call: string, body?: unknown): Promise<T>;
  /** The status of a call that may not work. */
  statusOf(service: ServiceName, call: string, body?: unknown): Promise<number>;
  health(service: ServiceName): Promise<Health>;
  /** Rows of a service's store. */
  rows(service: ServiceName, sql: string): Record<string, unknown>[];
  /** The next Reactor Core that is started loses its answer to the first delivery of evidence, which it has taken. */
  loseReceipt(): Promise<void>;
  /** Whether that has happened. */
  receiptWasLost(): boolean;
  /** Of all three together, as they tell them. */
  broken(): Promise<string[]>;
}

export async function makeServices(t: TestContext): Promise<Services> {
  const folder = await tempFolder(t);
  const home = join(folder, 'home');
  const ports = await freePorts(SERVICES.length);
  const plan = join(folder, 'failpoints.json');
  await writeFile(plan, '[]');
  const [core, prime, reactor] = ports.map(String);
  const environment = {
    ...SETTINGS,
    PATH: process.env['PATH'],
    HOME: folder,
    JARVIS_HOME: home,
    JARVIS_LOG_LEVEL: 'error',
    JARVIS_PORT: core,
    JARVIS_PRIME_PORT: prime,
    REACTOR_CORE_PORT: reactor,
    TRAINER_VISION_COMMAND: `"${process.execPath}" "${SCRIPTED}"`,
    [FAILPOINTS_VARIABLE]: plan,
  };
  const urlOf = (service: ServiceName): string => `http://127.0.0.1:${ports[SERVICES.indexOf(service)]}`;
  const running = new Map<ServiceName, ChildProcess>();
  const kill = async (service: ServiceName): Promise<void> => {
    const child = running.get(service);
    running.delete(service);
    child?.kill('SIGKILL');
    if (child !== undefined) await exited(child);
  };
  afterwards(t, async () => {
    for (const service of SERVICES) await kill(service);
    // A trainer outlives its Reactor Core.
    for (const { pid } of (await findHomeProcesses(home)) ?? []) process.kill(pid, 'SIGKILL');
  });
  const send = (service: ServiceName, call: string, body: unknown): Promise<Response> => {
    const [method = 'GET', path = ''] = call.split(' ');
    return fetch(urlOf(service) + path, {
      method,
      signal: AbortSignal.timeout(CALL_LIMIT_MS),
      ...(body === undefined
        ? {}
        : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
  };
  const call = async <T>(service: ServiceName, what: string, body?: unknown): Promise<T> => {
    const response = await send(service, what, body);
    const text = await response.text();
    assert.equal(response.status, 200, `${what}: ${text}`);
    return JSON.parse(text) as T;
  };
  return {
    home,
    kill,
    call,
    start: async (service) => {
      const child = spawn(process.execPath, [join(APPS, service, 'src/main.ts')], {
        cwd: folder,
        env: environment,
        stdio: ['ignore', 'ignore', 'inherit'],
      });
      running.set(service, child);
      await until(
        `${service} to answer`,
        async () => {
          assert.equal(child.exitCode, null, `${service} has ended`);
          const health = await getJsonWithin<Health>(`${urlOf(service)}/health`, CALL_LIMIT_MS);
          return health !== null && health.status !== 'starting';
        },
        START_LIMIT_MS,
      );
    },
    statusOf: async (service, what, body) => {
      const response = await send(service, what, body);
      await response.body?.cancel();
      return response.status;
    },
    loseReceipt: async () => {
      await rm(markOf(plan, 0), { force: true });
      const entry = { action: 'lose_reply', request: 'reactor-core POST /api/evidence' };
      await writeFile(plan, JSON.stringify([entry]));
    },
    receiptWasLost: () => existsSync(markOf(plan, 0)),
    health: async (service) => healthSchema.parse(await call(service, 'GET /health')),
    rows: (service, sql) => storedRows(join(home, service, `${service}.db`), sql),
    broken: async () => {
      const reports = await Promise.all(
        SERVICES.map(async (s) => invariantReportSchema.parse(await call(s, 'GET /api/invariants'))),
      );
      return reports.flatMap(({ broken }, i) => broken.map((b) => `${SERVICES[i]}: ${b.message}`));
    },
  };
}
