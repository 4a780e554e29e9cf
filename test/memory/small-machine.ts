// The whole system in an arena: the LLM server, the services and a trainer, of which not all fit at once.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { NegotiationPolicy, ServiceName } from '@jarvis/contracts';
import type { DetachedProcess } from '@jarvis/process';
import { FIXTURE_LLM_PROGRAM, freePorts, until } from '@jarvis/testkit';
import { getJsonWithin } from '../get-json.ts';
import type { Arena } from './arena.ts';

const CLI = fileURLToPath(new URL('../../apps/cli/bin/jarvis.js', import.meta.url));
const HEAVY_TRAINER = fileURLToPath(new URL('heavy-trainer.ts', import.meta.url));
const CALL_LIMIT_MS = 5_000;
const UP_LIMIT_MS = 90_000;
const DOWN_LIMIT_MS = 60_000;

/** MiB. */
export interface Sizes {
  readonly limit: number;
  readonly llm: number;
  readonly trainer: number;
  /** Taken by the trainer at once, in the middle. */
  readonly leap: number;
}

/** The story of 64, 38 and 40 GB, at a fortieth of it, in MiB. */
export const SIZES: Sizes = { limit: 1_640, llm: 950, trainer: 800, leap: 0 };
/** What a trainer is reserved: what it holds and what Node takes for itself are less than nine tenths of it. */
const NEED_GB = (SIZES.trainer + 220) / 1024;
const LLM_RUNTIME_MIB = 60;
export const LOAD_MS = 500;
export const IDLE_SECONDS = 1.5;

const SHORTENED = {
  TRAINING_CHECK_INTERVAL: '3600',
  TRAINING_AUTO_TRIGGER_ENABLED: 'false',
  TRAINING_BASELINE_ENABLED: 'false',
  TRAINING_RETRY_DELAY: '0.2',
  CHECKPOINT_INTERVAL_EPOCHS: '1',
  RESOURCE_CHECK_INTERVAL: '0.25',
  SERVICE_PROBE_INTERVAL: '0.5',
  JPRIME_IDLE_SECONDS: String(IDLE_SECONDS),
  JPRIME_MEMORY_THRESHOLD_GB: '0.4',
  JPRIME_LLM_WAIT: '30',
  TRAINING_MEMORY_RESERVE_GB: NEED_GB.toFixed(3),
  MEMORY_SAFETY_GB: '0.05',
} as const;

export interface SmallMachine {
  readonly home: string;
  readonly urls: Readonly<Record<ServiceName, string>>;
  get<T>(service: ServiceName, path: string): Promise<T | null>;
  post(service: ServiceName, path: string, body: unknown): Promise<Response>;
  /** `jarvis down`, and until the supervisor is gone. */
  down(): Promise<void>;
}

export interface SmallMachineOptions {
  readonly arena: Arena;
  readonly folder: string;
  readonly policy: NegotiationPolicy;
  /** Without it everybody takes what they like: JARVIS Core believes in memory that is not there, and runs no LLM. */
  readonly negotiates: boolean;
  readonly environment?: Readonly<Record<string, string>>;
  readonly sizes?: Sizes;
}

const WITHOUT_NEGOTIATION = { MAX_TOTAL_MEMORY_GB: '64', TRAINER_MEMORY_LIMIT: 'false' } as const;

function llmCommand(port: string, { llm }: Sizes): string[] {
  const options = ['--port', port, '--memory-mb', String(llm), '--load-ms', String(LOAD_MS)];
  return [process.execPath, FIXTURE_LLM_PROGRAM, ...options];
}

export async function startSmallMachine(options: SmallMachineOptions): Promise<SmallMachine> {
  const { arena, folder, policy, negotiates, sizes = SIZES } = options;
  const home = join(folder, 'home');
  await mkdir(home, { recursive: true });
  const [core, prime, reactor] = await freePorts(3);
  const env = {
    ...process.env,
    ...SHORTENED,
    NEGOTIATION_POLICY: policy,
    JARVIS_HOME: home,
    JARVIS_PORT: String(core),
    JARVIS_PRIME_PORT: String(prime),
    REACTOR_CORE_PORT: String(reactor),
    TRAINER_VISION_COMMAND: `${process.execPath} ${HEAVY_TRAINER} vision ${sizes.trainer} ${sizes.leap}`,
    JPRIME_LLM_MEMORY_GB: ((sizes.llm + LLM_RUNTIME_MIB) / 1024).toFixed(3),
    ...(negotiates ? { JPRIME_LLM_COMMAND: llmCommand('{port}', sizes).join(' ') } : WITHOUT_NEGOTIATION),
    ...options.environment,
  };
  const spawn = (words: readonly string[], output: string): Promise<DetachedProcess> =>
    arena.spawn(words, { env, cwd: folder, output: join(folder, output) });
  const urls = {
    'jarvis-core': `http://127.0.0.1:${core}`,
    'j-prime': `http://127.0.0.1:${prime}`,
    'reactor-core': `http://127.0.0.1:${reactor}`,
  };
  const get = <T>(service: ServiceName, path: string): Promise<T | null> =>
    getJsonWithin<T>(`${urls[service]}${path}`, CALL_LIMIT_MS);
  const up = await spawn([process.execPath, CLI, 'up'], 'up.log');
  await until(
    'all three services',
    async () => {
      const all = await Promise.all((Object.keys(urls) as ServiceName[]).map((s) => get(s, '/health')));
      return all.every((health) => health !== null);
    },
    UP_LIMIT_MS,
  );
  return {
    home,
    urls,
    get,
    post: (service, path, body) =>
      fetch(`${urls[service]}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(UP_LIMIT_MS),
      }),
    async down() {
      await (
        await spawn([process.execPath, CLI, 'down'], 'down.log')
      ).exited;
      await Promise.race([up.exited, new Promise((resolve) => setTimeout(resolve, DOWN_LIMIT_MS).unref())]);
    },
  };
}

/** The LLM server alone, as somebody starts it who asks nobody. */
export async function startLlmAlone(arena: Arena, folder: string): Promise<DetachedProcess> {
  const [port] = await freePorts(1);
  const output = join(folder, 'llm.log');
  const llm = await arena.spawn(llmCommand(String(port), SIZES), { env: process.env, cwd: folder, output });
  await until(
    'the LLM server',
    async () => (await getJsonWithin(`http://127.0.0.1:${port}/health`, CALL_LIMIT_MS)) !== null,
    UP_LIMIT_MS,
  );
  return llm;
}
