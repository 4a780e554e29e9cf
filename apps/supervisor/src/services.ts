// The three services: where each listens, how it is launched, and whether it is ours to launch.
import { type Environment, type ServiceName, SERVICES } from '@jarvis/contracts';
import { join, resolve } from 'node:path';
import { SupervisorError } from './errors.ts';

export interface ServiceSpec {
  readonly name: ServiceName;
  readonly title: string;
  readonly url: string;
  readonly port: number;
  readonly logPath: string;
  /** null: it runs somewhere else; it is only adopted. */
  readonly launch: LaunchSpec | null;
  /** Query of `POST /api/shutdown` for good, and for a restart. */
  readonly shutdownQuery: { readonly stop: string; readonly restart: string };
}

export interface LaunchSpec {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
}

/** Who has to answer on its URL: what is not ours to launch may belong to any home. */
export function expectedOf(
  spec: ServiceSpec,
  homeId: string,
): { readonly service: ServiceName; readonly homeId: string | null } {
  return { service: spec.name, homeId: spec.launch === null ? null : homeId };
}

export const SERVICE_TITLES: Readonly<Record<ServiceName, string>> = {
  'jarvis-core': 'JARVIS Core',
  'j-prime': 'J-Prime',
  'reactor-core': 'Reactor Core',
};

/** In the logs folder of a home. */
export const LOG_FILES = {
  supervisor: 'jarvis-supervisor.log',
  'jarvis-core': 'jarvis-core.log',
  'j-prime': 'jarvis-prime.log',
  'reactor-core': 'jarvis-reactor.log',
} as const satisfies Readonly<Record<ServiceName | 'supervisor', string>>;

/** The services that are part of the system, in the order in which they are started. */
export function enabledServices(environment: Environment): ServiceName[] {
  const enabled: Readonly<Record<ServiceName, boolean>> = {
    'jarvis-core': true,
    'j-prime': environment.JARVIS_PRIME_ENABLED,
    'reactor-core': environment.REACTOR_CORE_ENABLED,
  };
  return SERVICES.filter((name) => enabled[name]);
}

interface Entry {
  readonly host: string;
  readonly port: number;
  readonly apiUrl: { readonly variable: string; readonly value: string | null };
  readonly command: string | null;
  readonly path: { readonly variable: string; readonly value: string | null };
}

function entries(environment: Environment): Record<ServiceName, Entry> {
  const e = environment;
  return {
    'jarvis-core': {
      host: e.JARVIS_HOST,
      port: e.JARVIS_PORT,
      apiUrl: { variable: 'JARVIS_CORE_API_URL', value: e.JARVIS_CORE_API_URL },
      command: null,
      path: { variable: '', value: null },
    },
    'j-prime': {
      host: e.JARVIS_PRIME_HOST,
      port: e.JARVIS_PRIME_PORT,
      apiUrl: { variable: 'JARVIS_PRIME_API_URL', value: e.JARVIS_PRIME_API_URL },
      command: e.JARVIS_PRIME_COMMAND,
      path: { variable: 'JARVIS_PRIME_PATH', value: e.JARVIS_PRIME_PATH },
    },
    'reactor-core': {
      host: e.REACTOR_CORE_HOST,
      port: e.REACTOR_CORE_PORT,
      apiUrl: { variable: 'REACTOR_CORE_API_URL', value: e.REACTOR_CORE_API_URL },
      command: e.REACTOR_CORE_COMMAND,
      path: { variable: 'REACTOR_CORE_PATH', value: e.REACTOR_CORE_PATH },
    },
  };
}

/** The order of stopping: groups, one after the other; JARVIS Core last, because the others report to it. */
export function inStopOrder<T>(services: readonly T[], nameOf: (service: T) => ServiceName): T[][] {
  const isCore = (service: T) => nameOf(service) === 'jarvis-core';
  return [services.filter((service) => !isCore(service)), services.filter(isCore)];
}

export type Programs = Readonly<Record<ServiceName, string>>;

/** The `main.ts` of each service in this repository. */
export function ownPrograms(): Programs {
  const apps = resolve(import.meta.dirname, '../..');
  const main = (name: ServiceName) => join(apps, name, 'src', 'main.ts');
  return {
    'jarvis-core': main('jarvis-core'),
    'j-prime': main('j-prime'),
    'reactor-core': main('reactor-core'),
  };
}

export interface SpecOptions {
  readonly environment: Environment;
  readonly logs: string;
  readonly programs: Programs;
  /** The program that runs a `main.ts`. */
  readonly execPath: string;
  /** Where it runs. */
  readonly cwd: string;
}

/** The enabled services in the order in which they are started. Throws SupervisorError('configuration'). */
export function serviceSpecs(options: SpecOptions): ServiceSpec[] {
  const all = entries(options.environment);
  const problems: string[] = [];
  const specs: ServiceSpec[] = [];
  for (const name of enabledServices(options.environment)) {
    const entry = all[name];
    if (entry.path.value !== null && entry.command === null)
      problems.push(
        `${entry.path.variable} is set without ${entry.path.variable.replace('PATH', 'COMMAND')}: set the command that launches it there, too`,
      );
    specs.push(specOf(name, entry, options));
  }
  const ports = specs.filter((spec) => spec.launch !== null).map((spec) => spec.port);
  const twice = ports.find((port, i) => ports.indexOf(port) !== i);
  if (twice !== undefined) problems.push(`port ${twice} is given to two services: change one of them`);
  if (problems.length > 0) throw new SupervisorError('configuration', problems.join('\n'));
  return specs;
}

function specOf(name: ServiceName, entry: Entry, options: SpecOptions): ServiceSpec {
  const own = new URL(`http://${urlHost(entry.host)}:${entry.port}`);
  const url = entry.apiUrl.value === null ? own : new URL(entry.apiUrl.value);
  const ours = sameHost(url.hostname, own.hostname) && portOf(url) === entry.port;
  const trainers = name === 'reactor-core';
  return {
    name,
    title: SERVICE_TITLES[name],
    url: url.href.replace(/\/$/, ''),
    port: portOf(url),
    logPath: join(options.logs, LOG_FILES[name]),
    launch: ours ? launchOf(name, entry, options) : null,
    shutdownQuery: {
      stop: trainers ? '?trainers=checkpoint' : '',
      restart: trainers ? '?trainers=leave' : '',
    },
  };
}

function launchOf(name: ServiceName, entry: Entry, options: SpecOptions): LaunchSpec {
  if (entry.command !== null)
    return {
      command: '/bin/sh',
      args: ['-c', entry.command],
      cwd: resolve(options.cwd, entry.path.value ?? '.'),
    };
  return { command: options.execPath, args: [options.programs[name]], cwd: options.cwd };
}

/** Who listens everywhere is asked on loopback. */
function urlHost(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return host.includes(':') ? `[${host}]` : host;
}

const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;

function sameHost(a: string, b: string): boolean {
  return a === b || (LOOPBACK.test(a) && LOOPBACK.test(b));
}

function portOf(url: URL): number {
  return Number(url.port) || (url.protocol === 'https:' ? 443 : 80);
}
