// A service on SQLite does not pay for the driver of Postgres.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { tempFolder } from '@jarvis/testkit';

const CHILD = fileURLToPath(new URL('children/opens-sqlite.ts', import.meta.url));

test('without DATABASE_URL the driver of Postgres is not loaded', async (t) => {
  const file = join(await tempFolder(t), 'a.db');
  const { stdout } = await promisify(execFile)(process.execPath, [CHILD, file]);
  assert.equal(stdout, 'false');
});
