// `npm run setup:clients`: the Python clients of test/clients (tritonclient, openai, mlserver) in an environment of their own,
// in the versions that requirements.txt locks. Once they are there it does nothing.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The versions that all of the locked packages have wheels for. */
const PYTHONS = ['python3.11', 'python3.12', 'python3'];
const CHECK = 'import sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))';

const requirements = fileURLToPath(new URL('../test/clients/requirements.txt', import.meta.url));
const folder = fileURLToPath(new URL('../.clients', import.meta.url));
/** Written last: what is installed in full. */
const installed = join(folder, 'installed.txt');
const locked = readFileSync(requirements, 'utf8');

function run(command: string, args: readonly string[]): number {
  return spawnSync(command, args, { stdio: 'inherit' }).status ?? 1;
}

function install(): number {
  const python = PYTHONS.find((name) => spawnSync(name, ['-c', CHECK]).status === 0);
  if (python === undefined) {
    process.stderr.write('it needs Python 3.11 or 3.12 with its module venv\n');
    return 1;
  }
  rmSync(folder, { recursive: true, force: true });
  const made = run(python, ['-m', 'venv', folder]);
  if (made !== 0) return made;
  const pip = join(folder, process.platform === 'win32' ? 'Scripts' : 'bin', 'pip');
  const status = run(pip, ['install', '--quiet', '--disable-pip-version-check', '-r', requirements]);
  if (status === 0) writeFileSync(installed, locked);
  return status;
}

if (existsSync(installed) && readFileSync(installed, 'utf8') === locked)
  process.stdout.write('the clients are installed already\n');
else process.exitCode = install();
