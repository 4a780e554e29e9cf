// `jarvis config`: every variable with its value, where that came from, and what it means; secrets masked.
import { stripVTControlCharacters } from 'node:util';
import {
  ENVIRONMENT,
  GROUPS,
  type Variable,
  type VariableName,
  type VariableSource,
} from '@jarvis/contracts';
import { type Config, readConfigOrExit } from '@jarvis/runtime';
import { type Style, styleOf, table } from './style.ts';
import type { World } from './world.ts';

export interface ConfigEntry {
  readonly name: VariableName;
  /** null: there is none. A secret that is set reads as MASK. */
  readonly value: unknown;
  readonly source: VariableSource;
  readonly unit: string | null;
  readonly meaning: string;
}

export const MASK = '********';

export function configEntries(config: Config): ConfigEntry[] {
  const entries = Object.entries(ENVIRONMENT) as [VariableName, Variable<unknown>][];
  return GROUPS.flatMap((group) =>
    entries
      .filter(([, variable]) => variable.group === group)
      .map(([name, variable]) => {
        const value = config.env[name];
        return {
          name,
          value: variable.secret === true && value !== null ? MASK : value,
          source: config.sources[name],
          unit: variable.unit ?? null,
          meaning: variable.meaning,
        };
      }),
  );
}

export function configCommand(world: World, options: { json?: true }): void {
  const config = readConfigOrExit(world);
  const entries = configEntries(config);
  if (options.json === true) {
    world.stdout.write(`${JSON.stringify(entries, null, 2)}\n`);
    return;
  }
  const columns = world.stdout.isTTY ? world.stdout.columns : Infinity;
  const lines = wideLines(entries, config, styleOf(world.stdout));
  const fits = lines.every((line) => stripVTControlCharacters(line).length <= columns);
  const fitting = fits ? lines : narrowLines(entries, config, styleOf(world.stdout));
  world.stdout.write(`${fitting.join('\n')}\n`);
}

function wideLines(entries: readonly ConfigEntry[], config: Config, { paint }: Style): string[] {
  const rows = entries.map((entry) => [entry.name, shown(entry, config), entry.source, entry.meaning]);
  const [head = '', ...lines] = table([['variable', 'value', 'source', 'meaning'], ...rows]).split('\n');
  return [
    paint('bold', head),
    ...lines.map((line, i) => (entries[i]?.source === 'default' ? line : paint('cyan', line))),
  ];
}

/** Two lines for each, where a terminal is too narrow for columns. */
function narrowLines(entries: readonly ConfigEntry[], config: Config, { paint }: Style): string[] {
  return entries.flatMap((entry) => {
    const line = `${entry.name} = ${shown(entry, config)}`;
    const set = entry.source !== 'default';
    return [set ? paint('cyan', `${line} (${entry.source})`) : line, paint('dim', `    ${entry.meaning}`)];
  });
}

function shown(entry: ConfigEntry, config: Config): string {
  if (entry.value === null) return derived(entry.name, config) ?? '-';
  const text = Array.isArray(entry.value)
    ? entry.value.join(',')
    : `${entry.value as string | number | boolean}`;
  return entry.unit === null ? text : `${text} ${entry.unit}`;
}

/** What an unset variable comes to here. */
function derived(name: VariableName, config: Config): string | null {
  const { paths, urls } = config;
  const known: Partial<Record<VariableName, string>> = {
    JARVIS_HOME: config.home,
    TRAINING_CHECKPOINT_DIR: paths.runs,
    MODEL_REGISTRY_DIR: paths.registry,
    EXPERIENCE_DIR: paths.drop,
    TRAINING_DATA_DIR: paths.data,
    NLU_SEED_PATH: paths.nluSeed,
    JARVIS_CORE_API_URL: urls['jarvis-core'],
    JARVIS_PRIME_API_URL: urls['j-prime'],
    REACTOR_CORE_API_URL: urls['reactor-core'],
  };
  const text = known[name] ?? (ENVIRONMENT[name] as Variable<unknown>).defaultMeans;
  return text === undefined ? null : `(${text})`;
}
