// One entry of the catalogue of environment variables, and how texts become numbers, flags and lists.
import { z } from 'zod';

export interface Variable<T, D extends T | null = T | null> {
  readonly parse: z.ZodType<T, string>;
  /** null: there is none, or it follows from the machine or from another variable, as `defaultMeans` says. */
  readonly default: D;
  readonly defaultMeans?: string;
  readonly meaning: string;
  readonly unit?: string;
  readonly group: Group;
  readonly secret?: true;
}

export const GROUPS = [
  'where',
  'services',
  'memory',
  'training',
  'checkpoints',
  'rollout',
  'llm',
  'calls',
  'logs',
] as const;
export type Group = (typeof GROUPS)[number];

type Extra<T, D extends T | null> = Omit<Variable<T, D>, 'parse' | 'meaning' | 'group'>;

export function variable<T, const D extends T | null>(
  group: Group,
  meaning: string,
  parse: z.ZodType<T, string>,
  extra: Extra<T, D>,
): Variable<T, D> {
  return { group, meaning, parse, ...extra };
}

export function numeric(min: number, max: number): z.ZodType<number, string> {
  return z
    .string()
    .regex(/^-?\d+(\.\d+)?$/, 'has to be a number')
    .transform(Number)
    .pipe(z.number().min(min, range(min, max)).max(max, range(min, max)));
}
export function whole(min: number, max: number): z.ZodType<number, string> {
  return z
    .string()
    .regex(/^-?\d+$/, 'has to be a whole number')
    .transform(Number)
    .pipe(z.int().min(min, range(min, max)).max(max, range(min, max)));
}
function range(min: number, max: number): string {
  return `has to be from ${min} to ${max}`;
}
export const text: z.ZodType<string, string> = z.string().min(1);
export const url: z.ZodType<string, string> = z.url({
  protocol: /^https?$/,
  error: 'has to be an http(s) URL',
});
export const postgresUrl: z.ZodType<string, string> = z.url({
  protocol: /^postgres(ql)?$/,
  error: 'has to be a URL such as postgres://user:password@host:5432/database',
});
/** Goes before names that are 12 characters at most; Postgres cuts names at 63. */
export const schemaPrefix: z.ZodType<string, string> = z
  .string()
  .regex(/^[a-z_][a-z0-9_]{0,39}$/, 'has to be lower-case letters, digits and _, 40 at most, no digit first')
  .refine((s) => !s.startsWith('pg_'), 'must not begin with pg_, which Postgres keeps for itself');
export const flag: z.ZodType<boolean, string> = z
  .string()
  .regex(/^(true|false|1|0|yes|no)$/i, 'has to be true or false')
  .transform((s) => /^(true|1|yes)$/i.test(s));
export const percentages: z.ZodType<readonly number[], string> = z
  .string()
  .regex(
    /^\s*\d+(\.\d+)?(\s*,\s*\d+(\.\d+)?)*\s*$/,
    'has to be numbers with commas between, such as 10,25,50,75,100',
  )
  .transform((s) => s.split(',').map(Number))
  .refine((a) => a.every((v, i) => v > (a[i - 1] ?? 0) && v <= 100), 'has to rise, from above 0 to 100')
  .refine((a) => a.at(-1) === 100, 'has to end with 100');
export const cron: z.ZodType<string, string> = z
  .string()
  .regex(/^\s*\S+(\s+\S+){4}\s*$/, 'has to be a cron expression of five fields');

export interface TrainingWindow {
  /** Minutes after midnight, local time: from here, inclusive, */
  readonly fromMinute: number;
  /** to here, exclusive; before `fromMinute` where it goes over midnight. */
  readonly toMinute: number;
}
const WINDOW = /^([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)$/;
export const dayWindow: z.ZodType<TrainingWindow, string> = z
  .string()
  .regex(WINDOW, 'has to be a time of the day as HH:MM-HH:MM, such as 22:00-06:00')
  .transform((text): TrainingWindow => {
    const [, fromHour, from, toHour, to] = (WINDOW.exec(text) ?? []).map(Number);
    return {
      fromMinute: (fromHour ?? 0) * 60 + (from ?? 0),
      toMinute: (toHour ?? 0) * 60 + (to ?? 0),
    };
  })
  .refine((w) => w.fromMinute !== w.toMinute, 'has to begin and end at different times');

export const port = whole(1, 65_535);
const SECONDS_MAX = 7 * 86_400;
export const seconds = (min = 0.01): z.ZodType<number, string> => numeric(min, SECONDS_MAX);
export const gigabytes = numeric(0.01, 1_000_000);
