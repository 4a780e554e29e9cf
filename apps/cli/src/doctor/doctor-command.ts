// `jarvis doctor`: looks at configuration, home, processes and services, and says of each in plain words whether it is well
// and what to do. Changes nothing.
import { EXIT_CONFIG } from '@jarvis/contracts';
import { type Config, readConfig } from '@jarvis/runtime';
import { askServices, type ServiceAnswer } from '@jarvis/supervisor';
import { EXIT_AWAY, EXIT_FAILURE } from '../exit.ts';
import { plural, styleOf } from '../style.ts';
import type { World } from '../world.ts';
import { broken, type Check, fine } from './check.ts';
import { checkHome } from './home-checks.ts';
import { checkProcesses } from './process-checks.ts';
import { checkServices } from './service-checks.ts';

const MARKS: Readonly<Record<Check['state'], string>> = { fine: '✓', note: '!', broken: '✗' };
const COLOURS = { fine: 'green', note: 'yellow', broken: 'red' } as const;

interface Examination {
  readonly checks: readonly Check[];
  readonly exitCode: number;
}

export async function doctorCommand(world: World, options: { json?: true }): Promise<void> {
  const { checks, exitCode } = await examine(world);
  if (options.json === true)
    world.stdout.write(`${JSON.stringify({ exit_code: exitCode, checks }, null, 2)}\n`);
  else world.stdout.write(`${linesOf(checks, world, exitCode).join('\n')}\n`);
  if (exitCode !== 0) process.exitCode = exitCode;
}

async function examine(world: World): Promise<Examination> {
  const read = readConfig(world);
  if (!read.ok) {
    const todo = 'nothing is started like this: `docs/configuration.md` has all variables';
    const checks = read.problems.map((problem) => broken('configuration', problem, todo));
    return { checks, exitCode: EXIT_CONFIG };
  }
  const { config } = read;
  const { checks: home, homeId } = await checkHome(config, world.clock.now());
  const services = await askServices({ environment: config.env, homeId, fetch });
  const checks = [
    checkConfiguration(config),
    ...home,
    ...(await checkProcesses({ config, services, ownPid: process.pid })),
    ...(await checkServices(config, services)),
  ];
  return { checks, exitCode: exitCodeOf(checks, services) };
}

function exitCodeOf(checks: readonly Check[], services: readonly ServiceAnswer[]): number {
  if (checks.some(({ state }) => state === 'broken')) return EXIT_FAILURE;
  return services.every(({ answer }) => answer.kind === 'nothing') ? EXIT_AWAY : 0;
}

function checkConfiguration({ sources, database }: Config): Check {
  const set = Object.values(sources).filter((source) => source !== 'default').length;
  const store = database.url === null ? 'SQLite' : 'Postgres';
  return fine('configuration', `${plural(set, 'variable')} set; data in ${store}`);
}

function linesOf(checks: readonly Check[], world: World, exitCode: number): string[] {
  const { paint } = styleOf(world.stdout);
  const width = Math.max(...checks.map(({ subject }) => subject.length));
  const lines = checks.map(({ subject, state, message, todo }) => {
    const what = todo === null ? message : `${message} → ${todo}`;
    return paint(COLOURS[state], `${MARKS[state]} ${subject.padEnd(width)}  ${what}`);
  });
  return [...lines, verdict(checks, exitCode)];
}

function verdict(checks: readonly Check[], exitCode: number): string {
  const count = (state: Check['state']): number => checks.filter((check) => check.state === state).length;
  if (count('broken') > 0) return `${plural(count('broken'), 'thing')} broken, ${count('note')} to know of.`;
  const rest = count('note') > 0 ? `, ${plural(count('note'), 'thing')} to know of` : '';
  return exitCode === EXIT_AWAY ? `Nothing runs${rest}.` : `All is well${rest}.`;
}
