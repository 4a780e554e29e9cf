// `npm run setup:llm`: installs node-llama-cpp with its ready-made CPU binaries, for JPRIME_LLM_MODEL. In a folder of its
// own, so that neither package.json nor the lock file changes, `npm ci` does not take it away again, and the binaries for
// GPUs (optional dependencies of it, hundreds of megabytes) stay out without Node's own, which are optional here, leaving.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const VERSION = '3.22.1';
const BINARIES: Readonly<Record<string, string>> = {
  'linux-x64': 'linux-x64',
  'linux-arm64': 'linux-arm64',
  'darwin-x64': 'mac-x64',
  'darwin-arm64': 'mac-arm64-metal',
  'win32-x64': 'win-x64',
  'win32-arm64': 'win-arm64',
};

const folder = fileURLToPath(new URL('../.llm-library', import.meta.url));
const binary = BINARIES[`${process.platform}-${process.arch}`];
if (binary === undefined) {
  process.stderr.write(`node-llama-cpp has no ready-made binary for ${process.platform} ${process.arch}\n`);
  process.exit(1);
}

function isThere(name: string): boolean {
  const path = join(folder, 'node_modules', name, 'package.json');
  return (
    existsSync(path) && (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version === VERSION
  );
}

const packages = ['node-llama-cpp', `@node-llama-cpp/${binary}`];
if (packages.every(isThere)) {
  process.stdout.write(`node-llama-cpp ${VERSION} is installed already\n`);
} else {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
  // Its scripts would compile where a binary is missing.
  const args = ['install', '--no-save', '--omit=optional', '--ignore-scripts', '--prefix', folder];
  const named = packages.map((name) => `${name}@${VERSION}`);
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  const { status } = spawnSync(npm, [...args, ...named], {
    cwd: folder,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  process.exitCode = status ?? 1;
}
