// Requests for locks over HTTP: asked again after a lost answer, waiting, hung up on, called off, over restarts.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Lock } from '@jarvis/contracts';
import { type FailpointEntry, FAILPOINTS_VARIABLE } from '@jarvis/failpoints';
import { freePort, until } from '@jarvis/testkit';
import type { Client } from './client.ts';
import { makeWorld, spawnCore, startCore, type World } from './world.ts';

const WAIT = { wait_seconds: 30 };

const at = (action: string, name = 'reports'): string => `/api/locks/${encodeURIComponent(name)}/${action}`;
const ask = (holder: string, more: object = {}): Record<string, unknown> => ({
  holder,
  request_id: `of-${holder}`,
  ...more,
});
const take = async (core: Client, body: Record<string, unknown>): Promise<number> =>
  (await core.ok<{ token: number }>('POST', at('acquire'), body)).token;

async function lock(core: Client): Promise<Lock | undefined> {
  return (await core.ok<{ locks: Lock[] }>('GET', '/api/locks')).locks.find((l) => l.name === 'reports');
}

async function untilWaiting(core: Client, count: number): Promise<void> {
  await until(`${count} to wait`, async () => (await lock(core))?.waiting === count);
}

/** JARVIS Core alone, as a program, in which a failpoint may be armed. */
function alone(world: World, more: Readonly<Record<string, string>> = {}): ReturnType<typeof spawnCore> {
  return spawnCore(world, { ...more, REACTOR_CORE_ENABLED: 'false', JARVIS_PRIME_ENABLED: 'false' });
}

test('whoever waits is answered when the lock is given back', async (t) => {
  const core = await startCore(await makeWorld(t));
  const token = await take(core, ask('a'));
  const waiting = take(core, ask('b', WAIT));
  await untilWaiting(core, 1);
  await core.refused('lock_held', 'POST', at('acquire'), ask('c'));
  await core.ok('POST', at('release'), { holder: 'a', token });
  assert.equal(await waiting, token + 1);
});

test('who hangs up waits no more', async (t) => {
  const core = await startCore(await makeWorld(t));
  const token = await take(core, ask('a'));
  const hangUp = new AbortController();
  const gone = assert.rejects(
    fetch(core.url + at('acquire'), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(ask('b', WAIT)),
      signal: hangUp.signal,
    }),
    { name: 'AbortError' },
  );
  await untilWaiting(core, 1);
  hangUp.abort();
  await gone;
  await untilWaiting(core, 0);
  await core.ok('POST', at('release'), { holder: 'a', token });
  assert.equal((await lock(core))?.state, 'free');
});

test('a request that is called off is refused, whether it waits or comes after', async (t) => {
  const core = await startCore(await makeWorld(t));
  await take(core, ask('a'));
  const waiting = core.refused('request_ended', 'POST', at('acquire'), ask('b', WAIT));
  await untilWaiting(core, 1);
  const off = { name: 'reports', request_id: 'of-b', released: false };
  assert.deepEqual(await core.ok('POST', at('cancel'), { request_id: 'of-b' }), off);
  await waiting;
  await core.refused('request_ended', 'POST', at('acquire'), ask('b'));
  const held = { ...off, request_id: 'of-a', released: true };
  assert.deepEqual(await core.ok('POST', at('cancel'), { request_id: 'of-a' }), held);
  assert.equal((await lock(core))?.state, 'free');
});

test('what a request was told survives kill -9: what it holds, and that it has ended', async (t) => {
  const world = await makeWorld(t);
  const port = String(await freePort());
  const core = await alone(world, { JARVIS_PORT: port });
  await core.ok('POST', at('cancel'), { request_id: 'of-b' });
  const token = await take(core, ask('a'));
  const brokenOff = assert.rejects(core.call('POST', at('acquire'), ask('c', WAIT)));
  await untilWaiting(core, 1);
  await core.kill();
  await brokenOff;
  const again = await alone(world, { JARVIS_PORT: port });
  assert.equal(await take(again, ask('a')), token, 'the same request, the same grant');
  await again.refused('request_ended', 'POST', at('acquire'), ask('b'));
  const waitsAgain = take(again, ask('c', WAIT));
  await untilWaiting(again, 1);
  await again.ok('POST', at('release'), { holder: 'a', token });
  assert.equal(await waitsAgain, token + 1);
});

test('an acquire whose answer was lost has its grant, and is given it again', async (t) => {
  const world = await makeWorld(t);
  const plan = join(world.folder, 'failpoints.json');
  const lost: FailpointEntry = { action: 'lose_reply', request: 'jarvis-core POST /api/locks/:name/acquire' };
  await writeFile(plan, JSON.stringify([lost]));
  const core = await alone(world, { [FAILPOINTS_VARIABLE]: plan });
  await assert.rejects(core.call('POST', at('acquire'), ask('a')));
  assert.equal((await lock(core))?.holder, 'a', 'it holds, and nobody knows');
  await core.refused('lock_held', 'POST', at('acquire'), ask('a', { request_id: 'another' }));
  assert.equal(await take(core, ask('a')), 1);
});

test('a stop of JARVIS Core does not wait for those who wait', async (t) => {
  const core = await startCore(await makeWorld(t));
  await take(core, ask('a'));
  const waiting = core.refused('service_unavailable', 'POST', at('acquire'), ask('b', WAIT));
  await untilWaiting(core, 1);
  await core.stop();
  await waiting;
});

test('what cannot be waited for is refused by name', async (t) => {
  const core = await startCore(await makeWorld(t));
  const wrong: [string, unknown][] = [
    [at('acquire'), { holder: 'a', ...WAIT }],
    [at('acquire'), ask('a', { wait_seconds: -1 })],
    [at('acquire'), ask('a', { wait_seconds: 31 })],
    [at('acquire'), ask('a', { request_id: '' })],
    [at('acquire', 'training/0'), ask('a', WAIT)],
    [at('cancel'), {}],
  ];
  for (const [path, body] of wrong) await core.refused('invalid_request', 'POST', path, body);
  await core.refused('not_found', 'POST', at('cancel', 'training/7'), { request_id: 'r' });
});
