// The end of serving, step by step: a request that hangs, a stop, a request that comes too late.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CONTRACT_VERSION, type Identity } from '@jarvis/contracts';
import { createHttpShell, listen, Meter, silentLogger, systemClock } from '@jarvis/runtime';
import { addRequestGate } from '../src/protocols/request-gate.ts';

const identity: Identity = {
  service: 'j-prime',
  instance_id: 'prime-1',
  home_id: 'home-1',
  pid: process.pid,
  started_at: '2026-01-01T00:00:00Z',
  contract_version: CONTRACT_VERSION,
};

test('what is under way is answered, what comes later is sent away, and only then it closes', async (t) => {
  const server = await createHttpShell({
    identity,
    title: 'gate',
    logger: silentLogger(),
    meter: new Meter(),
    bodyLimitBytes: 1000,
    host: '127.0.0.1',
    token: null,
  });
  t.after(() => server.close());
  const gate = addRequestGate(server, systemClock);
  const begun = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  server.get('/slow', async () => {
    begun.resolve();
    await release.promise;
    return { done: true };
  });
  const port = await listen(server, { port: 0, host: '127.0.0.1', service: 'gate' });
  const slow = fetch(`http://127.0.0.1:${port}/slow`);
  await begun.promise;

  let isClosed = false;
  const closing = gate.close().then(() => (isClosed = true));
  const late = await fetch(`http://127.0.0.1:${port}/slow`);
  assert.equal(late.status, 503);
  assert.ok(late.headers.has('retry-after'));
  assert.equal(isClosed, false);
  release.resolve();
  const answer = await slow;
  assert.deepEqual(await answer.json(), { done: true });
  await closing;
});

test('with nothing under way it closes at once, and twice is as good as once', async (t) => {
  const server = await createHttpShell({
    identity,
    title: 'gate',
    logger: silentLogger(),
    meter: new Meter(),
    bodyLimitBytes: 1000,
    host: '127.0.0.1',
    token: null,
  });
  t.after(() => server.close());
  const gate = addRequestGate(server, systemClock);
  await gate.close();
  await gate.close();
});
