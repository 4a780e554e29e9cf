// What keeps `up` from starting: it is named, with what to do, and nothing is left running.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { fixture, listening } from './fixture.ts';

test('a stranger on a port is named and left alone', async (t) => {
  const f = await fixture(t);
  const [core, prime = 0, reactor] = f.ports;
  const stranger = createServer((_, response) => response.writeHead(404).end()).listen(prime, '127.0.0.1');
  t.after(() => stranger.close());
  await once(stranger, 'listening');
  const { code, stdout } = await f.run(['up']);
  assert.equal(code, 1);
  assert.match(stdout, new RegExp(`✖ J-Prime: port ${prime} is taken by something else`));
  if (process.platform === 'linux') assert.match(stdout, new RegExp(`pid ${process.pid}: `));
  assert.match(stdout, /another port; nothing was done to it/);
  assert.deepEqual(await listening([core ?? 0, reactor ?? 0]), []);
  assert.equal((await fetch(`http://127.0.0.1:${prime}/`)).status, 404, 'it goes on');
  assert.deepEqual(await readdir(join(f.home, 'logs')), ['jarvis-supervisor.log'], 'nothing was launched');

  const down = await f.run(['down']);
  assert.deepEqual([down.code, down.stdout], [0, `Nothing runs on ${f.home}.\n`]);
  assert.equal((await fetch(`http://127.0.0.1:${prime}/`)).status, 404, 'down leaves it, too');
});

const HOMES = [
  { name: 'a file where the home should be', at: (file: string) => file, told: /a file is in the way/ },
  { name: 'a file above it', at: (file: string) => join(file, 'home'), told: /a file is in the way/ },
  {
    name: 'a folder that takes no folders',
    at: () => '/proc/jarvis-test',
    told: /no folder can be made there/,
  },
];

for (const { name, at, told } of HOMES)
  test(
    `a home that cannot be used: ${name}`,
    { skip: at('').startsWith('/proc') && !existsSync('/proc') && 'needs /proc' },
    async (t) => {
      const f = await fixture(t);
      const file = join(f.folder, 'file');
      await writeFile(file, 'precious');
      const { code, stdout, stderr } = await f.run(['up'], { JARVIS_HOME: at(file) });
      assert.deepEqual([code, stdout], [1, '']);
      assert.match(stderr, told);
      assert.match(stderr, /set JARVIS_HOME to another/);
      assert.doesNotMatch(stderr, /\n\s+at /, 'no trace');
      assert.deepEqual(await listening(f.ports), []);
    },
  );

test('a service that ends while it starts is told with its last lines, and takes the others down', async (t) => {
  const f = await fixture(t);
  const { code, stdout } = await f.run(['up'], { JARVIS_PRIME_COMMAND: 'echo what went wrong; exit 3' });
  assert.equal(code, 1);
  assert.match(
    stdout,
    /✖ J-Prime did not start: .*exit code 3[\s\S]*what went wrong[\s\S]*jarvis-prime\.log/,
  );
  assert.match(stdout, /Stopping …[\s\S]*\nStopped\.\n$/);
  assert.deepEqual(await listening(f.ports), []);
});
