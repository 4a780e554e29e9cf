// `jarvis migrate` as a person runs it, on both engines: the rehearsal changes nothing, the run is what the services find.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { onServer, storeEngines, tempFolder } from '@jarvis/testkit';

const CLI = fileURLToPath(new URL('../bin/jarvis.js', import.meta.url));

interface Outcome {
  readonly service: string;
  readonly ok: boolean;
  readonly engine: string;
  readonly applied: number;
  readonly pending: readonly unknown[];
}

for (const engine of await storeEngines())
  test(
    `${engine.name}: a rehearsal changes nothing; a migration is applied once`,
    { skip: engine.skip },
    async (t) => {
      const { databaseUrl } = await engine.place(t, []);
      const home = join(await tempFolder(t), 'home');
      const env = {
        PATH: process.env['PATH'],
        JARVIS_HOME: home,
        ...(databaseUrl === null ? {} : { DATABASE_URL: databaseUrl, DATABASE_SCHEMA_PREFIX: 'mine_' }),
      };
      const migrate = (...args: string[]): Outcome[] => {
        const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, 'migrate', '--json', ...args], {
          env,
          encoding: 'utf8',
        });
        assert.equal(status, 0, stderr);
        return JSON.parse(stdout) as Outcome[];
      };
      const schemas = async (): Promise<unknown[]> =>
        databaseUrl === null
          ? []
          : (await onServer(databaseUrl, `SELECT 1 FROM pg_namespace WHERE nspname LIKE 'mine%'`)).rows;

      const rehearsed = migrate('--dry-run');
      assert.deepEqual(
        rehearsed.map((o) => [o.service, o.engine, o.applied]),
        [
          ['jarvis-core', engine.name, 0],
          ['j-prime', engine.name, 0],
          ['reactor-core', engine.name, 0],
        ],
      );
      assert.ok(rehearsed.every((o) => o.pending.length > 0));
      assert.equal(existsSync(home), false);
      assert.deepEqual(await schemas(), []);

      assert.deepEqual(migrate(), rehearsed);
      const after = migrate('--dry-run');
      assert.ok(after.every((o, i) => o.pending.length === 0 && o.applied === rehearsed[i]?.pending.length));
      assert.equal((await schemas()).length, databaseUrl === null ? 0 : 3);
    },
  );

test('a server that does not answer is told of for each service, without the password', () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, 'migrate', '--dry-run'], {
    env: { PATH: process.env['PATH'], DATABASE_URL: 'postgres://me:verysecret@127.0.0.1:1/db' },
    encoding: 'utf8',
  });
  assert.equal(status, 1);
  assert.equal(stdout.match(/does not answer/g)?.length, 3);
  assert.doesNotMatch(stdout + stderr, /verysecret/);
});
