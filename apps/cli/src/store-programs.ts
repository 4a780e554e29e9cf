// The data of each service belongs to it alone: what is to be done to it is done by a program of the service, which
// answers with a line of JSON.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { ServiceName } from '@jarvis/contracts';
import { CommandError, EXIT_AWAY, EXIT_FAILURE } from './exit.ts';
import { SERVICE_TITLES } from '@jarvis/supervisor';

const OUTPUT_CHARS_MAX = 1_000_000;

export interface StoreProgram {
  readonly service: ServiceName;
  readonly verb: 'rehearse' | 'migrate' | 'drop';
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
}

/** What the program answers. Throws CommandError with what it says on stderr. */
export async function runStoreProgram({ service, verb, environment, cwd }: StoreProgram): Promise<unknown> {
  const program = fileURLToPath(new URL(`../../${service}/src/database.ts`, import.meta.url));
  const child = spawn(process.execPath, [program, verb], {
    cwd,
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [stdout, stderr] = collected(child);
  const [code] = (await once(child, 'close')) as [number | null];
  if (code === 0) return JSON.parse(stdout()) as unknown;
  const exitCode = code === EXIT_AWAY ? EXIT_AWAY : EXIT_FAILURE;
  throw new CommandError(`${SERVICE_TITLES[service]}: ${stderr().trim() || `ended with ${code}`}`, exitCode);
}

function collected(child: ChildProcess): [() => string, () => string] {
  const keep = (stream: NodeJS.ReadableStream | null): (() => string) => {
    let text = '';
    stream?.on('data', (data: Buffer) => (text = (text + data.toString()).slice(-OUTPUT_CHARS_MAX)));
    return () => text;
  };
  return [keep(child.stdout), keep(child.stderr)];
}
