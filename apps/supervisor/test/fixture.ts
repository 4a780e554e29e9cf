// A home, three free ports, and a supervisor over small but real services.
import { readEnvironment, type ServiceName } from '@jarvis/contracts';
import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type DetachedProcess, ensureHome, spawnDetached } from '@jarvis/process';
import { systemClock } from '@jarvis/runtime';
import { freePorts } from '@jarvis/testkit';
import {
  startSupervisor,
  type Supervisor,
  type SupervisorEvent,
  type SupervisorOptions,
} from '../src/index.ts';

const services = join(import.meta.dirname, 'services');
export const programs = {
  'jarvis-core': join(services, 'jarvis-core.ts'),
  'j-prime': join(services, 'j-prime.ts'),
  'reactor-core': join(services, 'reactor-core.ts'),
};

type Env = Readonly<Record<string, string | undefined>>;
/** Variables that the services of these tests read, beside those of the catalogue. */
const OURS = /^(JARVIS_|REACTOR_|SERVICE_|LOG_)/;

export function supervisorOptions(
  home: string,
  env: Env,
  extra: Partial<SupervisorOptions> = {},
): SupervisorOptions {
  const read = readEnvironment(Object.fromEntries(Object.entries(env).filter(([name]) => OURS.test(name))));
  if (!read.ok) throw new Error(read.problems.join('\n'));
  return {
    environment: read.values,
    home,
    processEnv: { PATH: process.env['PATH'], ...env },
    fetch,
    clock: systemClock,
    random: () => 0.5,
    newId: randomUUID,
    writeError: () => {},
    pid: process.pid,
    execPath: process.execPath,
    cwd: home,
    programs,
    ...extra,
  };
}

export interface Fixture {
  readonly home: string;
  readonly homeId: string;
  readonly env: Readonly<Record<string, string>>;
  readonly ports: Readonly<Record<ServiceName, number>>;
  setMode(service: ServiceName, mode: string): Promise<void>;
  /** What happened to the services, one line each. */
  happened(): Promise<string[]>;
  post(service: ServiceName, path: string): Promise<void>;
  start(env?: Env, extra?: Partial<SupervisorOptions>): Promise<Supervisor>;
  /** Starts a service as somebody else would. */
  startAlone(service: ServiceName, env?: Env): Promise<DetachedProcess>;
}

export async function fixture(t: TestContext, settings: Env = {}): Promise<Fixture> {
  const home = await mkdtemp(join(tmpdir(), 'jarvis-supervisor-'));
  t.after(() => rm(home, { recursive: true, force: true, maxRetries: 5 }));
  const { homeId } = await ensureHome(home, randomUUID);
  const [core = 0, prime = 0, reactor = 0] = await freePorts(3);
  const ports = { 'jarvis-core': core, 'j-prime': prime, 'reactor-core': reactor };
  const env = {
    JARVIS_HOME: home,
    JARVIS_PORT: String(core),
    JARVIS_PRIME_PORT: String(prime),
    REACTOR_CORE_PORT: String(reactor),
    SERVICE_PROBE_INTERVAL: '0.05',
    SERVICE_RESTART_DELAY: '0.02',
    SERVICE_START_TIMEOUT: '20',
    ...settings,
  };
  return {
    home,
    homeId,
    env,
    ports,
    setMode: (service, mode) => writeFile(join(home, `fixture-${service}`), mode),
    happened: async () =>
      (await readFile(join(home, 'happened'), 'utf8').catch(() => ''))
        .split('\n')
        .filter((line) => line !== ''),
    post: async (service, path) => {
      await fetch(`http://127.0.0.1:${ports[service]}${path}`, { method: 'POST' }).catch(() => {});
    },
    start: async (more = {}, extra = {}) => {
      const supervisor = await startSupervisor(supervisorOptions(home, { ...env, ...more }, extra));
      t.after(() => supervisor.kill());
      return supervisor;
    },
    startAlone: async (service, more = {}) => {
      const child = await spawnDetached({
        command: process.execPath,
        args: [programs[service]],
        env: { PATH: process.env['PATH'], ...env, ...more },
        cwd: home,
        stdoutPath: join(home, 'logs', 'alone.log'),
      });
      t.after(async () => {
        child.signalGroup('SIGKILL');
        await child.exited;
      });
      await untilAnswers(ports[service]);
      return child;
    },
  };
}

async function untilAnswers(port: number): Promise<void> {
  for (;;) {
    const answered = await fetch(`http://127.0.0.1:${port}/ping`).then(
      (response) => response.ok,
      () => false,
    );
    if (answered) return;
    await systemClock.sleep(10);
  }
}

/** The first event, past or to come, that fits. */
export async function untilEvent(
  supervisor: Supervisor,
  fits: (event: SupervisorEvent) => boolean,
): Promise<SupervisorEvent> {
  const found = Promise.withResolvers<SupervisorEvent>();
  const unsubscribe = supervisor.events.subscribe((event) => {
    if (fits(event)) found.resolve(event);
  });
  try {
    return await found.promise;
  } finally {
    unsubscribe();
  }
}

/** Whether anything listens on a port. */
export async function isListening(port: number): Promise<boolean> {
  return await fetch(`http://127.0.0.1:${port}/ping`).then(
    () => true,
    () => false,
  );
}
