import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { chmod, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { ensureHome, findListener, HomeError, readHomeId } from '../src/index.ts';
import { asHomeError } from '../src/home.ts';
import { listeningInodes } from '../src/listener.ts';
import { temporaryFolder } from './children.ts';

test('a home is made once, for its owner only, and keeps its id', async (t) => {
  const folder = join(await temporaryFolder(t), 'deep', 'home');
  const homes = await Promise.all(Array.from({ length: 8 }, () => ensureHome(folder, randomUUID)));
  assert.equal(new Set(homes.map((home) => home.homeId)).size, 1);
  assert.equal(await readHomeId(folder), homes[0]?.homeId);
  assert.equal((await ensureHome(folder, randomUUID)).homeId, homes[0]?.homeId);
  assert.equal((await stat(folder)).mode & 0o777, 0o700);
  assert.equal((await stat(join(folder, 'logs'))).mode & 0o777, 0o700);
  assert.equal((await stat(join(folder, 'home_id'))).mode & 0o777, 0o600);
  assert.deepEqual((await readdir(folder)).sort(), ['home_id', 'logs']);
});

const isHomeError = (code: string) => (error: unknown) =>
  error instanceof HomeError && error.code === code && /remove|JARVIS_HOME/.test(error.message);

test('a home that cannot be used says what to do', async (t) => {
  const folder = await temporaryFolder(t);
  await writeFile(join(folder, 'file'), '');
  await assert.rejects(ensureHome(join(folder, 'file'), randomUUID), isHomeError('home_unusable'));
  await assert.rejects(ensureHome(join(folder, 'file', 'x'), randomUUID), isHomeError('home_unusable'));
  await writeFile(join(folder, 'home_id'), 'not an id');
  await assert.rejects(ensureHome(folder, randomUUID), isHomeError('home_unusable'));
  assert.equal(await readFile(join(folder, 'home_id'), 'utf8'), 'not an id', 'left as it was');
});

test(
  'a home where no folder can be made',
  { skip: process.platform !== 'linux' && 'needs /proc' },
  async () => {
    await assert.rejects(ensureHome('/proc/jarvis-test/home', randomUUID), isHomeError('home_unusable'));
  },
);

/** Root may write anywhere: it becomes nobody for as long as `work` takes. */
async function withoutRights(work: () => Promise<void>): Promise<void> {
  const root = process.getuid?.() === 0;
  if (root) process.seteuid?.(65_534);
  try {
    await work();
  } finally {
    if (root) process.seteuid?.(0);
  }
}

test('a home without the right to write', async (t) => {
  const folder = await temporaryFolder(t);
  await chmod(folder, 0o500);
  await withoutRights(() =>
    assert.rejects(ensureHome(join(folder, 'home'), randomUUID), { code: 'home_not_permitted' }),
  );
});

test('a full, read-only or forbidden disk is told apart', () => {
  const codes = Object.fromEntries(
    ['ENOSPC', 'EDQUOT', 'EROFS', 'EACCES', 'EMFILE'].map((code) => {
      const error = asHomeError(Object.assign(new Error('x'), { code }), '/home/x');
      return [code, error instanceof HomeError ? error.code : 'as it was'];
    }),
  );
  assert.deepEqual(codes, {
    ENOSPC: 'home_disk_full',
    EDQUOT: 'home_disk_full',
    EROFS: 'home_read_only',
    EACCES: 'home_not_permitted',
    EMFILE: 'as it was',
  });
});

test('who listens on a port is found', { skip: process.platform !== 'linux' && 'reads /proc' }, async (t) => {
  const server = createServer().listen(0, '127.0.0.1');
  t.after(() => server.close());
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const listener = await findListener(port);
  assert.equal(listener?.pid, process.pid);
  assert.match(listener?.command ?? '', /node/);
  server.close();
  await once(server, 'close');
  assert.equal(await findListener(port), null);
});

test('/proc/net/tcp: only who listens on exactly that port', () => {
  const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1389 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 5417 1 0 100 0
   1: 0100007F:1389 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 5418 1 0 100 0
   2: 0100007F:0050 0100007F:1389 0A 00000000:00000000 00:00000000 00000000     0        0 5419 1 0 100 0
`;
  assert.deepEqual(listeningInodes(table, 5001), ['5417']);
  assert.deepEqual(listeningInodes(table, 80), ['5419']);
});
