// The whole system as a user starts it, in a home of its own: `jarvis up` as a child, which may be killed and started
// again, and what of it is alive, seen from outside.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ServiceName } from '@jarvis/contracts';
import { fixtureLlmCommand, freePorts, until } from '@jarvis/testkit';
import { getJsonWithin } from '../get-json.ts';

const CLI = fileURLToPath(new URL('../../apps/cli/bin/jarvis.js', import.meta.url));
const STRICT_JUDGE = fileURLToPath(new URL('strict-judge.ts', import.meta.url));
const SMALL_TRAINER = fileURLToPath(new URL('small-trainer.ts', import.meta.url));
const CALL_LIMIT_MS = 5_000;
const DOWN_LIMIT_MS = 90_000;
const START_AGAIN_MS = 100;

/** Times are shortened, so that hundreds of kills fit into minutes; nothing else is changed. */
const SHORTENED = {
  TRAINING_CHECK_INTERVAL: '0.5',
  TRAINING_RETRY_DELAY: '0.1',
  TRAINING_RETRY_LIMIT: '100',
  CHECKPOINT_INTERVAL_EPOCHS: '1',
  RESOURCE_CHECK_INTERVAL: '0.3',
  ROLLOUT_STEP_SECONDS: '0.5',
  ROLLOUT_CHECK_INTERVAL: '0.1',
  EVIDENCE_FLUSH_INTERVAL: '0.2',
  SERVICE_PROBE_INTERVAL: '0.3',
  SERVICE_RESTART_DELAY: '0.05',
  SERVICE_RESTART_WINDOW: '1',
  SERVICE_RESTART_LIMIT: '1000',
  TRAINING_LOCK_TTL: '5',
  TRAINER_SILENCE_LIMIT: '5',
  TRAINING_PREEMPT_AFTER: '0.5',
  MEMORY_LEASE_TTL: '5',
  TRAINING_MIN_NEW_EXPERIENCES: '40',
  REACTOR_API_TIMEOUT: '5',
  REACTOR_RETRY_DELAY: '0.1',
  TRAINING_MEMORY_RESERVE_GB: '0.1',
  MODEL_VERSIONS_KEPT: '3',
} as const;

/** For the unusual: little trains by itself, so that there are lulls, and the judge refuses some of what it hears. */
export const UNUSUAL = {
  JPRIME_LLM_COMMAND: fixtureLlmCommand('{port}', { memoryMb: 20, loadMs: 100 }).join(' '),
  JPRIME_LLM_MEMORY_GB: '0.1',
  JPRIME_IDLE_SECONDS: '2',
  TRAINING_MIN_NEW_EXPERIENCES: '2000',
  REACTOR_CORE_COMMAND: `exec '${process.execPath}' '${STRICT_JUDGE}'`,
} as const;

export interface System {
  readonly home: string;
  readonly urls: Readonly<Record<ServiceName, string>>;
  /** Starts `jarvis up`, and starts it again whenever it ends, until `down`. */
  up(): void;
  /** SIGKILL to the supervisor alone; the next one finds what it left running. */
  killSupervisor(): Promise<void>;
  /** Starts nothing any more. */
  giveUp(): void;
  /** `jarvis down`; answers its exit code. */
  down(): Promise<number>;
  pidOf(service: ServiceName): Promise<number | null>;
  trainers(): Promise<Trainer[]>;
  /** Every process that belongs to this home. */
  processes(): Promise<number[]>;
  output(): string;
}

export interface Trainer {
  readonly pid: number;
  readonly jobId: string;
}

export async function makeSystem(
  folder: string,
  extra: Readonly<Record<string, string>> = {},
): Promise<System> {
  const home = join(folder, 'home');
  const ports = await freePorts(3);
  const [core, prime, reactor] = ports;
  const environment = {
    ...process.env,
    ...SHORTENED,
    JARVIS_HOME: home,
    JARVIS_PORT: String(core),
    JARVIS_PRIME_PORT: String(prime),
    REACTOR_CORE_PORT: String(reactor),
    ...Object.fromEntries(
      (['voice', 'vision', 'embedding'] as const).map((kind) => [
        `TRAINER_${kind.toUpperCase()}_COMMAND`,
        `${process.execPath} ${SMALL_TRAINER} ${kind}`,
      ]),
    ),
    ...extra,
  };
  const urls = {
    'jarvis-core': `http://127.0.0.1:${core}`,
    'j-prime': `http://127.0.0.1:${prime}`,
    'reactor-core': `http://127.0.0.1:${reactor}`,
  };
  let supervisor: ChildProcess | null = null;
  let isWanted = false;
  let output = '';
  const run = (args: readonly string[]): ChildProcess => {
    const child = spawn(process.execPath, [CLI, ...args], {
      env: environment,
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      // A group of its own: what kills the test does not kill the system in passing.
      detached: true,
    });
    const keep = (chunk: Buffer): void => void (output = (output + chunk.toString()).slice(-100_000));
    child.stdout?.on('data', keep);
    child.stderr?.on('data', keep);
    return child;
  };
  // A start in which a service dies fails as a whole, and says so: then whoever wants the system starts it again.
  const start = (): void => {
    const child = run(['up']);
    supervisor = child;
    child.once('exit', () => {
      if (supervisor === child) supervisor = null;
      if (isWanted) setTimeout(() => isWanted && start(), START_AGAIN_MS);
    });
  };
  return {
    home,
    urls,
    up: () => {
      isWanted = true;
      start();
    },
    async killSupervisor() {
      if (supervisor === null) return;
      const gone = once(supervisor, 'exit');
      supervisor.kill('SIGKILL');
      await gone;
    },
    giveUp: () => void (isWanted = false),
    async down() {
      isWanted = false;
      const child = run(['down']);
      const limit = setTimeout(() => child.kill('SIGKILL'), DOWN_LIMIT_MS);
      const [code] = (await once(child, 'exit')) as [number | null];
      clearTimeout(limit);
      return code ?? -1;
    },
    async pidOf(service) {
      return (await getJson<{ pid: number }>(`${urls[service]}/health`))?.pid ?? null;
    },
    trainers: () => trainersOf(home),
    processes: () => processesOf(home),
    output: () => output,
  };
}

export function getJson<T>(url: string): Promise<T | null> {
  return getJsonWithin<T>(url, CALL_LIMIT_MS);
}

/** Until all three answer. */
export async function untilUp(system: System, limitMs: number): Promise<void> {
  await until(
    'all three services',
    async () => {
      const pids = await Promise.all(
        (['jarvis-core', 'j-prime', 'reactor-core'] as const).map((s) => system.pidOf(s)),
      );
      return pids.every((pid) => pid !== null);
    },
    limitMs,
  );
}

interface Row {
  readonly pid: number;
  readonly args: readonly string[];
}

/** Live processes with their arguments; zombies have none and are left out. */
async function liveProcesses(): Promise<Row[]> {
  const names = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const rows = await Promise.all(
    names.map(async (name) => {
      const text = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '');
      return { pid: Number(name), args: text.split('\0').filter((a) => a !== '') };
    }),
  );
  return rows.filter((row) => row.args.length > 0);
}

const JOB_FILE = /\/runs\/([^/]+)\/attempt-\d+\/job\.json$/;

async function trainersOf(home: string): Promise<Trainer[]> {
  const rows = await liveProcesses();
  return rows.flatMap(({ pid, args }) => {
    const job = args.map((arg) => (arg.startsWith(home) ? JOB_FILE.exec(arg) : null)).find((m) => m !== null);
    return job?.[1] === undefined ? [] : [{ pid, jobId: job[1] }];
  });
}

/** By an argument below the home, or by a file below it that is open. */
async function processesOf(home: string): Promise<number[]> {
  const rows = await liveProcesses();
  const mine = await Promise.all(
    rows.map(async ({ pid, args }) => {
      if (pid === process.pid) return false;
      if (args.some((arg) => arg.startsWith(home))) return true;
      const fds = await readdir(`/proc/${pid}/fd`).catch(() => []);
      const open = await Promise.all(fds.map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')));
      return open.some((path) => path.startsWith(home));
    }),
  );
  return rows.filter((_, i) => mine[i]).map((row) => row.pid);
}
