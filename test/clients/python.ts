// The Python of the clients (`npm run setup:clients`), and asking by it.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const ENVIRONMENT = fileURLToPath(new URL('../../.clients', import.meta.url));
const BIN = join(ENVIRONMENT, process.platform === 'win32' ? 'Scripts' : 'bin');
/** Importing alone takes seconds on a machine that is busy. */
const LIMIT_MS = 120_000;
const OUTPUT_BYTES_MAX = 4 * 1024 ** 2;

export const SCRIPTS = fileURLToPath(new URL('./python', import.meta.url));

/** For `node:test`: why these tests cannot run here, or false. */
export const skip =
  !existsSync(join(ENVIRONMENT, 'installed.txt')) &&
  'the Python clients are not installed: npm run setup:clients';

export function programOf(name: string): string {
  return join(BIN, name);
}

/** Runs a script of `test/clients/python`; resolves to the JSON that it prints. */
export async function ask<T>(script: string, args: readonly string[]): Promise<T> {
  const { stdout } = await promisify(execFile)(programOf('python'), [join(SCRIPTS, script), ...args], {
    timeout: LIMIT_MS,
    maxBuffer: OUTPUT_BYTES_MAX,
    env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' },
  });
  return JSON.parse(stdout) as T;
}
