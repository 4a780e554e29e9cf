// Reads the environment through the catalogue: a typed value for each variable, or every problem at once.
import type { z } from 'zod';
import { ENVIRONMENT, type VariableName } from './environment.ts';
import type { Variable } from './variable.ts';

type ValueOf<V> = V extends { parse: z.ZodType<infer T, string>; default: infer D }
  ? D extends null
    ? T | null
    : T
  : never;
/** The environment as read: a value for each variable, null where there is none and no default. */
export type Environment = { readonly [K in VariableName]: ValueOf<(typeof ENVIRONMENT)[K]> };

export type ReadResult =
  | {
      readonly ok: true;
      readonly values: Environment;
      readonly sources: Readonly<Record<VariableName, VariableSource>>;
    }
  | { readonly ok: false; readonly problems: readonly string[] };
export type VariableSource = 'default' | 'environment' | '.env';

/** Variables that begin so are ours: a misspelt one is a mistake, not somebody else's. */
const OWN_PREFIXES = /^(JPRIME_|REACTOR_|ROLLOUT_|AB_TEST_|TRAINER_|JARVIS_PRIME_)/;

/** Reads all variables; `file` (from .env) gives way to `environment`. Finds every problem, not the first. An empty value counts as unset. */
export function readEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
  file: Readonly<Record<string, string | undefined>> = {},
): ReadResult {
  const problems: string[] = [];
  const values: Record<string, unknown> = {};
  const sources: Record<string, VariableSource> = {};
  for (const [name, entry] of Object.entries(ENVIRONMENT) as [VariableName, Variable<unknown>][]) {
    const fromEnvironment = environment[name] || undefined;
    const raw = fromEnvironment ?? (file[name] || undefined);
    sources[name] = raw === undefined ? 'default' : fromEnvironment === undefined ? '.env' : 'environment';
    values[name] = entry.default;
    if (raw === undefined) continue;
    const parsed = entry.parse.safeParse(raw.trim());
    if (parsed.success) values[name] = parsed.data;
    else
      problems.push(
        `${name}: ${parsed.error.issues.map((i) => i.message).join('; ')}${entry.secret ? '' : ` (it is "${raw}")`}`,
      );
  }
  for (const name of new Set([...Object.keys(environment), ...Object.keys(file)])) {
    if (OWN_PREFIXES.test(name) && !(name in ENVIRONMENT))
      problems.push(`${name}: there is no such variable`);
  }
  if (problems.length > 0) return { ok: false, problems };
  return {
    ok: true,
    values: values as Environment,
    sources: sources as Record<VariableName, VariableSource>,
  };
}

/** Exit code of a program that was configured badly (sysexits EX_CONFIG). */
export const EXIT_CONFIG = 78;
