// The lock file names the packages of every platform. npm drops those of other platforms when it makes a lock file beside
// an installed tree, and `npm ci` then refuses the file on every machine.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

interface Locked {
  readonly packages: Readonly<Record<string, { readonly optionalDependencies?: Record<string, string> }>>;
}

const path = fileURLToPath(new URL('../../package-lock.json', import.meta.url));
const { packages } = JSON.parse(readFileSync(path, 'utf8')) as Locked;

/** Whether Node's search for `name` from the folder `from` ends at a package that the lock file has. */
function isLocked(from: string, name: string): boolean {
  for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/')))) {
    if (`${folder === '' ? '' : `${folder}/`}node_modules/${name}` in packages) return true;
    if (folder === '') return false;
  }
}

test('every optional package of every package is in the lock file', () => {
  const wanted = Object.entries(packages).flatMap(([from, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies).map((name) => ({ from, name })),
  );
  assert.ok(wanted.length > 10, 'the lock file was not understood');
  const missing = wanted.filter(({ from, name }) => !isLocked(from, name)).map(({ name }) => name);
  assert.deepEqual(missing, [], 'make the lock file anew in a folder without node_modules');
});
