// One process a home.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { tempFolder } from '@jarvis/testkit';
import { takeHomeLock } from '../src/index.ts';

test('a home has one holder', async (t) => {
  const path = join(await tempFolder(t), 'lock.db');
  const lock = takeHomeLock(path, 'JARVIS Core');
  assert.throws(() => takeHomeLock(path, 'JARVIS Core'), { code: 'service_unavailable' });
  lock.release();
  takeHomeLock(path, 'JARVIS Core').release();
});
