// The import table catches what it is there to catch, in a small house with one wrong import at a time.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';

const CHECKER = fileURLToPath(new URL('../check-rooms.ts', import.meta.url));

const GOOD: Readonly<Record<string, string>> = {
  'packages/contracts/src/index.ts': `export const a = 1;`,
  'packages/contracts/src/inner.ts': `export const b = 1;`,
  'packages/policy/src/index.ts': `import { a } from '@jarvis/contracts';\nexport const c = a;`,
  'apps/j-prime/src/index.ts': `import { c } from '@jarvis/policy';\nexport const d = c;`,
  'apps/reactor-core/src/index.ts': `import { readFileSync } from 'node:fs';\nexport const e = readFileSync;`,
};

function check(
  t: TestContext,
  changed: Readonly<Record<string, string>>,
): { code: number | null; out: string } {
  const root = mkdtempSync(join(tmpdir(), 'check-rooms-'));
  t.after(() => rmSync(root, { recursive: true }));
  writeFileSync(join(root, 'package.json'), '{"type":"module","dependencies":{"fastify":"*"}}');
  mkdirSync(join(root, 'node_modules/@jarvis'), { recursive: true });
  for (const [path, body] of Object.entries({ ...GOOD, ...changed })) {
    const folder = dirname(dirname(join(root, path)));
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), `${body}\n`);
    const name = folder.split('/').at(-1) ?? '';
    writeFileSync(
      join(folder, 'package.json'),
      `{"name":"@jarvis/${name}","version":"0.1.0","type":"module","exports":"./src/index.ts"}`,
    );
    const link = join(root, 'node_modules/@jarvis', name);
    rmSync(link, { force: true });
    symlinkSync(folder, link);
  }
  const child = spawnSync(process.execPath, [CHECKER, root], { encoding: 'utf8' });
  return { code: child.status, out: child.stdout + child.stderr };
}

test('a house that keeps to the table passes, and says how much was read', (t) => {
  const { code, out } = check(t, {});
  assert.equal(code, 0, out);
  assert.match(out, /^5 modules, 3 imports, 0 against the table/);
});

const WRONG: Readonly<Record<string, readonly [string, string, RegExp]>> = {
  'a service that imports another': [
    'apps/j-prime/src/index.ts',
    `import { e } from '@jarvis/reactor-core';\nexport const d = e;`,
    /apps\/j-prime imports only/,
  ],
  'a way around a root export': [
    'packages/policy/src/index.ts',
    `import { b } from '../../contracts/src/inner.ts';\nexport const c = b;`,
    /packages\/contracts is entered by its root export only/,
  ],
  'a type of the wrong room': [
    'packages/contracts/src/index.ts',
    `import type { c } from '@jarvis/policy';\nexport type A = typeof c;`,
    /packages\/contracts imports only nothing of the house/,
  ],
  "Node's modules in policy": [
    'packages/policy/src/index.ts',
    `import { readFileSync } from 'node:fs';\nexport const c = readFileSync;`,
    /packages\/policy uses nothing of Node/,
  ],
  'a library that is not there': [
    'apps/j-prime/src/index.ts',
    `import nothing from 'left-out';\nexport const d = nothing;`,
    /every import is found/,
  ],
};

for (const [name, [path, body, expected]] of Object.entries(WRONG)) {
  test(`${name} is found`, (t) => {
    const { code, out } = check(t, { [path]: body });
    assert.equal(code, 1, out);
    assert.match(out, expected);
  });
}

test('an empty house is a failure, not a success', (t) => {
  const root = mkdtempSync(join(tmpdir(), 'check-rooms-'));
  t.after(() => rmSync(root, { recursive: true }));
  mkdirSync(join(root, 'packages/policy/src'), { recursive: true });
  writeFileSync(join(root, 'package.json'), '{}');
  const child = spawnSync(process.execPath, [CHECKER, root], { encoding: 'utf8' });
  assert.equal(child.status, 1, child.stdout);
});
