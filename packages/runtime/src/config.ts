// The configuration of a program: environment, then .env, then defaults; with folders and addresses worked out.
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseEnv } from 'node:util';
import {
  type Environment,
  EXIT_CONFIG,
  readEnvironment,
  type ReadResult,
  type ServiceName,
  type VariableName,
  type VariableSource,
} from '@jarvis/contracts';

export interface Config {
  readonly env: Environment;
  readonly sources: Readonly<Record<VariableName, VariableSource>>;
  readonly home: string;
  readonly paths: {
    readonly core: string;
    readonly prime: string;
    readonly reactor: string;
    readonly logs: string;
    readonly drop: string;
    readonly data: string;
    readonly runs: string;
    readonly registry: string;
    readonly nluSeed: string;
  };
  readonly urls: Readonly<Record<ServiceName, string>>;
  readonly database: {
    /** null: SQLite, in the folder of each service. */
    readonly url: string | null;
    readonly schemas: Readonly<Record<ServiceName, string>>;
  };
}

export type ConfigResult =
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly problems: readonly string[] };

/** The seed set that comes with the project. */
const SHIPPED_NLU_SEED = fileURLToPath(
  new URL('../../../data/assistant-commands/seed.jsonl', import.meta.url),
);
const LOOPBACK = /^(localhost|127(\.\d+){3}|\[?::1\]?)$/;

type Variables = Readonly<Record<string, string | undefined>>;

export interface ConfigInputs {
  readonly environment: Variables;
  /** The folder whose .env is read. */
  readonly cwd: string;
}

export function readConfig(inputs: ConfigInputs): ConfigResult {
  const file = readDotEnv(join(inputs.cwd, '.env'));
  const read = readEnvironment(inputs.environment, file.values);
  const problems = [...file.problems, ...contradictionsOf(read, inputs.environment, file.values)];
  if (!read.ok) return { ok: false, problems: [...read.problems, ...problems] };
  if (problems.length > 0) return { ok: false, problems };
  const env = read.values;
  const home = absolute(env.JARVIS_HOME ?? defaultHome(inputs.environment), inputs.cwd);
  const below = (given: string | null, fallback: string): string =>
    absolute(given ?? join(home, fallback), inputs.cwd);
  return {
    ok: true,
    config: {
      env,
      sources: read.sources,
      home,
      paths: {
        core: join(home, 'jarvis-core'),
        prime: join(home, 'j-prime'),
        reactor: join(home, 'reactor-core'),
        logs: join(home, 'logs'),
        drop: below(env.EXPERIENCE_DIR, 'events'),
        data: below(env.TRAINING_DATA_DIR, 'data'),
        runs: below(env.TRAINING_CHECKPOINT_DIR, 'reactor-core/runs'),
        registry: below(env.MODEL_REGISTRY_DIR, 'reactor-core/registry'),
        nluSeed: absolute(env.NLU_SEED_PATH ?? SHIPPED_NLU_SEED, inputs.cwd),
      },
      urls: {
        'jarvis-core': baseUrl(env.JARVIS_CORE_API_URL, env.JARVIS_HOST, env.JARVIS_PORT),
        'j-prime': baseUrl(env.JARVIS_PRIME_API_URL, env.JARVIS_PRIME_HOST, env.JARVIS_PRIME_PORT),
        'reactor-core': baseUrl(env.REACTOR_CORE_API_URL, env.REACTOR_CORE_HOST, env.REACTOR_CORE_PORT),
      },
      database: { url: env.DATABASE_URL, schemas: schemasOf(env) },
    },
  };
}

/** Reads the configuration, or prints every problem and ends the process with 78: bad configuration starts nothing (I10). */
export function readConfigOrExit(inputs: ConfigInputs): Config {
  const result = readConfig(inputs);
  if (result.ok) return result.config;
  process.stderr.write(
    `The configuration has ${result.problems.length === 1 ? 'a mistake' : `${result.problems.length} mistakes`}; nothing was started:\n`,
  );
  for (const problem of result.problems) process.stderr.write(`  ${problem}\n`);
  process.stderr.write('All variables with their meaning: docs/configuration.md.\n');
  process.exit(EXIT_CONFIG);
}

export function isLoopback(host: string): boolean {
  return LOOPBACK.test(host);
}

function readDotEnv(path: string): { values: Variables; problems: string[] } {
  try {
    return { values: existsSync(path) ? parseEnv(readFileSync(path, 'utf8')) : {}, problems: [] };
  } catch (error) {
    return { values: {}, problems: [`${path}: cannot be read (${(error as Error).message})`] };
  }
}

/** Also where single variables are wrong: those are left out, so that the rest is told in the same go (I10). */
function contradictionsOf(read: ReadResult, environment: Variables, file: Variables): string[] {
  if (read.ok) return contradictions(read.values, new Set());
  const wrong = new Set(read.problems.map((p) => p.slice(0, p.indexOf(':'))));
  const without = (variables: Variables): Variables =>
    Object.fromEntries(Object.entries(variables).filter(([name]) => !wrong.has(name)));
  const rest = readEnvironment(without(environment), without(file));
  return rest.ok ? contradictions(rest.values, wrong) : [];
}

/** `wrong`: variables that have a problem of their own, about which nothing more can be said. */
function contradictions(env: Environment, wrong: ReadonlySet<string>): string[] {
  const problems: string[] = [];
  for (const name of ['JARVIS_HOST', 'JARVIS_PRIME_HOST', 'REACTOR_CORE_HOST'] as const) {
    if (!isLoopback(env[name]) && env.JARVIS_API_TOKEN === null && !wrong.has('JARVIS_API_TOKEN')) {
      problems.push(
        `${name}: listening on ${env[name]} needs JARVIS_API_TOKEN; without a token only loopback is allowed`,
      );
    }
  }
  const names = (['JARVIS_PORT', 'JARVIS_PRIME_PORT', 'REACTOR_CORE_PORT'] as const).filter(
    (name) => !wrong.has(name),
  );
  const ports = names.map((name) => env[name]);
  if (new Set(ports).size < ports.length)
    problems.push(`${names.join(', ')}: ${ports.join(', ')} have to differ`);
  return [...problems, ...llmContradictions(env, wrong)];
}

/** One of them says where the LLM comes from. */
const LLM_SOURCES = ['JPRIME_LLM_COMMAND', 'JPRIME_LLM_MODEL', 'JPRIME_LLM_URL'] as const;
/** These speak of the server at JPRIME_LLM_URL. */
const OF_LLM_URL = ['JPRIME_LLM_KIND', 'JPRIME_LLM_API_KEY'] as const;

function llmContradictions(env: Environment, wrong: ReadonlySet<string>): string[] {
  const problems: string[] = [];
  const chosen = LLM_SOURCES.filter((name) => env[name] !== null || wrong.has(name));
  if (chosen.length > 1)
    problems.push(`${chosen.join(', ')}: only one of them may be set, for J-Prime has one LLM server`);
  const { JPRIME_LLM_URL: url } = env;
  if (url === null && !wrong.has('JPRIME_LLM_URL'))
    for (const name of OF_LLM_URL)
      if (env[name] !== null)
        problems.push(`${name}: speaks of the server at JPRIME_LLM_URL, which is not set`);
  if (url !== null && (new URL(url).username !== '' || new URL(url).password !== ''))
    problems.push('JPRIME_LLM_URL: must hold no name and password; JPRIME_LLM_API_KEY is for the key');
  return problems;
}

function schemasOf({ DATABASE_SCHEMA_PREFIX }: Environment): Config['database']['schemas'] {
  const prefix = DATABASE_SCHEMA_PREFIX ?? '';
  return {
    'jarvis-core': `${prefix}jarvis_core`,
    'j-prime': `${prefix}j_prime`,
    'reactor-core': `${prefix}reactor_core`,
  };
}
function defaultHome(environment: ConfigInputs['environment']): string {
  return join(environment['XDG_DATA_HOME'] || join(homedir(), '.local', 'share'), 'jarvis');
}
function absolute(path: string, cwd: string): string {
  return isAbsolute(path) ? path : resolve(cwd, path);
}
/** Without a slash at the end: paths are put behind it. */
function baseUrl(given: string | null, host: string, port: number): string {
  if (given !== null) return given.replace(/\/+$/, '');
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
}
