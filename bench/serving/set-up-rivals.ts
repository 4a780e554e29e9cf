// `npm run setup:bench-serving`: installs MLServer and Ray Serve, for `npm run bench:serving`, in a virtual environment of
// their own that git ignores. Needs Python 3.11 on the path (PYTHON names another); some 700 MB.
import { spawnSync } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { RIVALS_FOLDER, rivalsPython } from './cache.ts';

const REQUIREMENTS = fileURLToPath(new URL('rivals/requirements.txt', import.meta.url));

function run(command: string, ...args: string[]): void {
  const { status, error } = spawnSync(command, args, { stdio: 'inherit' });
  if (status !== 0)
    throw new Error(`${command} ${args.join(' ')} failed: ${error?.message ?? `exit ${status}`}`);
}

await mkdir(RIVALS_FOLDER, { recursive: true });
run(process.env['PYTHON'] ?? 'python3.11', '-m', 'venv', RIVALS_FOLDER);
run(rivalsPython(), '-m', 'pip', 'install', '--no-input', '--requirement', REQUIREMENTS);
