// `npm run sim:bugs`: puts each bug of this folder into a copy of the house and shows that the simulator finds it.
// With names as arguments, only those.
import { execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';

const HOUSE = resolve(import.meta.dirname, '../..');
const ROOMS = ['contracts', 'policy', 'coordinator', 'failpoints', 'store', 'testkit'] as const;
const SEEDS_MAX = '600';
/** A patch may begin with the seed that is known to find its bug, so that nobody waits for hundreds that don't. */
const KNOWN_SEED = /^seed: (\d+)$/m;
const FOUND = /^seed (\d+) broke "([^"]+)": (.*)$/m;
const write = (line: string): boolean => process.stdout.write(`${line}\n`);

/** The rooms that the simulator needs, with their libraries linked. */
function copyHouse(): string {
  const copy = mkdtempSync(join(tmpdir(), 'jarvis-bug-'));
  for (const room of ROOMS)
    cpSync(join(HOUSE, 'packages', room), join(copy, 'packages', room), { recursive: true });
  cpSync(join(HOUSE, 'sim'), join(copy, 'sim'), { recursive: true });
  cpSync(join(HOUSE, 'package.json'), join(copy, 'package.json'));
  const libraries = join(copy, 'node_modules');
  mkdirSync(join(libraries, '@jarvis'), { recursive: true });
  for (const name of readdirSync(join(HOUSE, 'node_modules')))
    if (name !== '@jarvis' && name !== '.bin')
      symlinkSync(join(HOUSE, 'node_modules', name), join(libraries, name));
  for (const room of ROOMS) symlinkSync(join(copy, 'packages', room), join(libraries, '@jarvis', room));
  return copy;
}

function prove(patch: string): boolean {
  const name = basename(patch, '.patch');
  const copy = copyHouse();
  try {
    execFileSync('git', ['apply', '--unsafe-paths', `--directory=${copy}`, patch], { cwd: '/' });
    const from = KNOWN_SEED.exec(readFileSync(patch, 'utf8'))?.[1] ?? '1';
    const command = [join(copy, 'sim/main.ts'), '--from', from, '--seeds', SEEDS_MAX];
    const run = spawnSync(process.execPath, command, {
      cwd: copy,
      encoding: 'utf8',
    });
    const found = FOUND.exec(run.stdout);
    write(
      found === null
        ? `| ${name} | not found in ${SEEDS_MAX} seeds | ${run.stderr.slice(0, 200)} |`
        : `| ${name} | ${found[1]} | ${found[2]} | ${found[3]} |`,
    );
    return found !== null;
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

const asked = process.argv.slice(2);
const patches = globSync(join(HOUSE, 'sim/bugs/*.patch'))
  .filter((p) => asked.length === 0 || asked.includes(basename(p, '.patch')))
  .sort();
write('| bug | seed | invariant | what it said |\n| --- | --- | --- | --- |');
const missed = patches.filter((patch) => !prove(patch)).length;
write(`${patches.length} bugs, ${missed} not found`);
process.exitCode = missed > 0 || patches.length === 0 ? 1 : 0;
