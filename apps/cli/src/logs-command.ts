// `jarvis logs`: the last lines of the services' logs, merged by time; followed with -f.
import { createReadStream, existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type Config, readConfigOrExit } from '@jarvis/runtime';
import { followFile } from '@jarvis/process';
import { LOG_FILES } from '@jarvis/supervisor';
import { CommandError } from './exit.ts';
import { type Style, styleOf } from './style.ts';
import { untilInterrupted, type World } from './world.ts';

type LogName = keyof typeof LOG_FILES;

export interface LogsOptions {
  readonly follow?: true;
  readonly grep?: RegExp;
  readonly lines: number;
  readonly raw?: true;
}

export interface LogLine {
  readonly name: LogName;
  readonly text: string;
}

/** The fields every logger of the house writes; other fields follow. */
interface LogEntry {
  readonly time: string;
  readonly level: string;
  readonly msg?: string;
  readonly service?: string;
  readonly [field: string]: unknown;
}

export async function logsCommand(
  world: World,
  service: string | undefined,
  options: LogsOptions,
): Promise<void> {
  const config = readConfigOrExit(world);
  const names = namesOf(service);
  const style = styleOf(world.stdout);
  const write = (line: LogLine): void => {
    world.stdout.write(`${options.raw === true ? line.text : pretty(line, style)}\n`);
  };
  const paths = names.map((name) => ({ name, path: join(config.paths.logs, LOG_FILES[name]) }));
  if (!paths.some(({ path }) => existsSync(path)) && options.follow !== true) throw noLogs(config);
  // Up to here they are read, from here they are followed: no line comes twice or is lost in between.
  const files = await Promise.all(paths.map(async (log) => ({ ...log, bytes: await sizeOf(log.path) })));
  const last = await Promise.all(files.map((log) => lastMatching(log, options)));
  const merged = last.flat().toSorted((a, b) => (timeOf(a.text) < timeOf(b.text) ? -1 : 1));
  // A count of 0 means none: only what comes is shown.
  for (const line of options.lines === 0 ? [] : merged.slice(-options.lines)) write(line);
  if (options.follow !== true) {
    if (merged.length === 0) world.stderr.write('No line matches.\n');
    return;
  }
  if (merged.length === 0) world.stderr.write(`Waiting for lines in ${config.paths.logs} …\n`);
  const { signal, release } = untilInterrupted(world, () => process.exit());
  await Promise.all(
    files.map(async ({ name, path, bytes }) => {
      for await (const text of followFile(path, { from: bytes, signal }))
        if (matches(text, options.grep)) write({ name, text });
    }),
  );
  release();
}

function namesOf(service: string | undefined): readonly LogName[] {
  const all = Object.keys(LOG_FILES) as LogName[];
  if (service === undefined) return all;
  const name = all.find((n) => n === service);
  if (name === undefined)
    throw new CommandError(`there is no service ${service}: it is one of ${all.join(', ')}`);
  return [name];
}

function noLogs(config: Config): CommandError {
  return new CommandError(
    `there are no logs in ${config.paths.logs}: nothing was started on this home yet (\`jarvis up\`), or JARVIS_HOME names another one`,
  );
}

interface LogFile {
  readonly name: LogName;
  readonly path: string;
  readonly bytes: number;
}

/** 0 where there is none. */
async function sizeOf(path: string): Promise<number> {
  return await stat(path).then(
    ({ size }) => size,
    () => 0,
  );
}

/** The last `lines` lines of a file that match. Reads the file once, keeps no more than that. */
async function lastMatching(
  { name, path, bytes }: LogFile,
  options: Pick<LogsOptions, 'grep' | 'lines'>,
): Promise<LogLine[]> {
  if (bytes === 0) return [];
  const kept: LogLine[] = [];
  const input = createReadStream(path, { end: bytes - 1 });
  for await (const text of createInterface({ input, crlfDelay: Infinity })) {
    if (!matches(text, options.grep)) continue;
    kept.push({ name, text });
    if (kept.length > options.lines) kept.shift();
  }
  return kept;
}

function matches(text: string, grep: RegExp | undefined): boolean {
  return grep === undefined || grep.test(text);
}

function timeOf(text: string): string {
  return parse(text)?.time ?? '';
}

function parse(text: string): LogEntry | null {
  try {
    const value = JSON.parse(text) as Partial<LogEntry> | null;
    const fits = typeof value?.time === 'string' && typeof value.level === 'string';
    return fits ? (value as LogEntry) : null;
  } catch {
    return null; // what a runtime prints when it dies is no JSON
  }
}

const LEVEL_COLOURS: Readonly<Record<string, 'red' | 'yellow' | 'cyan' | 'dim'>> = {
  fatal: 'red',
  error: 'red',
  warn: 'yellow',
  info: 'cyan',
};
const NAME_WIDTH = Math.max(...Object.keys(LOG_FILES).map((n) => n.length));
const LEVEL_WIDTH = 5;

/** `05:17:03.120 info  jarvis-core  message {"job_id": ...}`; what is no JSON as it stands. */
export function pretty({ name, text }: LogLine, { paint }: Style): string {
  const entry = parse(text);
  const who = paint('dim', name.padEnd(NAME_WIDTH));
  if (entry === null) return `${who}  ${text}`;
  const { time, level, msg, service: _, ...rest } = entry;
  const at = time.includes('T') ? time.slice(11, 23) : time;
  const fields = Object.keys(rest).length === 0 ? '' : ` ${paint('dim', JSON.stringify(rest))}`;
  return `${at} ${paint(LEVEL_COLOURS[level] ?? 'dim', level.padEnd(LEVEL_WIDTH))} ${who}  ${msg ?? ''}${fields}`;
}
