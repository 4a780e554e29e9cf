// The demo as a child process in a folder of its own, and the services that it has started, found from outside.
import { type ChildProcess, spawn } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { getJsonWithin } from '../get-json.ts';

const CLI = fileURLToPath(new URL('../../apps/cli/bin/jarvis.js', import.meta.url));
const CALL_LIMIT_MS = 2_000;
const OUTPUT_CHARS_MAX = 1_000_000;

export interface Urls {
  readonly core: string;
  readonly prime: string;
  readonly reactor: string;
}

export interface DemoRun {
  readonly child: ChildProcess;
  readonly ended: Promise<{ code: number | null; stdout: string; stderr: string }>;
}

/** Starts the demo with its homes below `folder`; `--keep` among the arguments leaves the home there. */
export function startDemo(folder: string, args: readonly string[]): DemoRun {
  const child = spawn(process.execPath, [CLI, 'demo', ...args], {
    env: { ...process.env, TMPDIR: folder },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (d: Buffer) => (stdout = (stdout + d.toString()).slice(-OUTPUT_CHARS_MAX)));
  child.stderr.on('data', (d: Buffer) => (stderr = (stderr + d.toString()).slice(-OUTPUT_CHARS_MAX)));
  const ended = new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) => {
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
  return { child, ended };
}

/** The home of a demo below `folder`, once it is there. */
export async function findHome(folder: string): Promise<string | null> {
  for (const name of await readdir(folder)) {
    const home = join(folder, name);
    if (await readFile(join(home, 'supervisor.json')).catch(() => null)) return home;
  }
  return null;
}

/** Null while they are not written yet. */
export async function addressesIn(home: string): Promise<Urls | null> {
  const file = JSON.parse(await readFile(join(home, 'supervisor.json'), 'utf8')) as {
    urls?: Record<string, string>;
  };
  const [core, prime, reactor] = [
    file.urls?.['jarvis-core'],
    file.urls?.['j-prime'],
    file.urls?.['reactor-core'],
  ];
  return core === undefined || prime === undefined || reactor === undefined ? null : { core, prime, reactor };
}

export function getJson<T>(url: string): Promise<T | null> {
  return getJsonWithin<T>(url, CALL_LIMIT_MS);
}
