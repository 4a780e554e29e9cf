// The whole system on Postgres: the demo's three days in schemas of their own, which are gone after it; and a service
// whose schema another process takes ends by itself.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { afterwards, onServer, storeEngines, tempFolder, until } from '@jarvis/testkit';

const CLI = fileURLToPath(new URL('../../apps/cli/bin/jarvis.js', import.meta.url));
const J_PRIME = fileURLToPath(new URL('../../apps/j-prime/src/main.ts', import.meta.url));
const DEMO_LIMIT_MS = 280_000;
const OUTPUT_CHARS_MAX = 1_000_000;

const postgres = (await storeEngines()).find((engine) => engine.name === 'postgres');
assert.ok(postgres);

function start(program: string, args: readonly string[], env: Record<string, string | undefined>) {
  const child = spawn(process.execPath, [program, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (d: Buffer) => (output = (output + d.toString()).slice(-OUTPUT_CHARS_MAX)));
  const ended = once(child, 'close').then(([code]) => code as number | null);
  return { child, ended, output: () => output };
}

test(
  'the demo goes as it should on Postgres, and leaves no schema behind',
  { skip: postgres.skip, timeout: DEMO_LIMIT_MS },
  async (t) => {
    const { databaseUrl } = await postgres.place(t, []);
    assert.ok(databaseUrl);
    const folder = await tempFolder(t);
    const env = { ...process.env, TMPDIR: folder };
    const demo = start(CLI, ['demo', '--json', '--database', databaseUrl], env);
    const schemas = async (): Promise<unknown[]> =>
      (await onServer(databaseUrl, `SELECT nspname FROM pg_namespace WHERE nspname LIKE 'demo%'`)).rows;
    await until('the schemas', async () => demo.child.exitCode !== null || (await schemas()).length === 3);
    assert.equal(await demo.ended, 0, demo.output());
    assert.deepEqual(await schemas(), []);
  },
);

test('a service whose schema was taken says so and ends', { skip: postgres.skip }, async (t) => {
  const { databaseUrl } = await postgres.place(t, []);
  assert.ok(databaseUrl);
  const home = join(await tempFolder(t), 'home');
  const prime = start(J_PRIME, [], {
    PATH: process.env['PATH'],
    JARVIS_HOME: home,
    JARVIS_PRIME_PORT: '18702',
    DATABASE_URL: databaseUrl,
  });
  afterwards(t, () => prime.child.kill('SIGKILL'));
  await until('J-Prime to be ready', () => prime.output().includes('J-Prime is ready'));
  await onServer(
    databaseUrl,
    `UPDATE j_prime.store_holder SET holder = 'another';
     SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`,
  );
  assert.equal(await prime.ended, 0, prime.output());
  assert.match(prime.output(), /another process has taken the data of this service: stopping/);
});
