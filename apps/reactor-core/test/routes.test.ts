// Routes: a full snapshot at any time, and a stream that begins with one and tells each change.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Routes, routesSchema } from '@jarvis/contracts';
import { type ReceivedEvent, readSse } from '@jarvis/runtime';
import { makeWorld } from './harness.ts';
import { CHAMPION, GOOD, roll, rolloutWorld } from './rollout-world.ts';

/** The stream of routes, one at a time; ended with the test. */
function follow(url: string, lastEventId: string | null = null) {
  const gone = new AbortController();
  const stream: AsyncIterator<ReceivedEvent> = readSse({
    url: `${url}/api/routes/stream`,
    lastEventId,
    token: null,
    signal: gone.signal,
  });
  return {
    next: async (): Promise<Routes> => {
      const { value, done } = await stream.next();
      assert.ok(done !== true, 'the stream goes on');
      assert.equal(value.event, 'routes');
      return routesSchema.parse(value.data);
    },
    end: () => gone.abort(),
  };
}

test('without a version there are no routes, and the stream says so', async (t) => {
  const reactor = await (await makeWorld(t)).start();
  const stream = follow(reactor.url);
  assert.deepEqual(await stream.next(), { revision: 0, routes: [] });
  assert.deepEqual(await reactor.routes(), { revision: 0, routes: [] });
  stream.end();
});

test('the first version that is deployed by itself is told to who follows', async (t) => {
  const world = await makeWorld(t);
  const reactor = await world.start();
  const stream = follow(reactor.url);
  await stream.next();
  await reactor.start(world.body({ auto_deploy: true }));
  const { revision, routes } = await stream.next();
  assert.deepEqual(
    [revision, routes.length, routes[0]?.stable.version, routes[0]?.candidate],
    [1, 1, 'v0.1.0', null],
  );
  stream.end();
});

test('a reader gets the snapshot as it is now, then each change, wherever it had been', async (t) => {
  const { reactor } = await rolloutWorld(t);
  const stream = follow(reactor.url);
  const first = await stream.next();
  assert.deepEqual(first, await reactor.routes());
  const id = await roll(reactor, GOOD);
  const { routes, revision } = await stream.next();
  assert.equal(revision, first.revision + 1);
  assert.deepEqual(
    [routes[0]?.stable.version, routes[0]?.candidate?.version, routes[0]?.candidate?.deployment_id],
    [CHAMPION, GOOD, id],
  );
  assert.deepEqual([routes[0]?.candidate?.weight, routes[0]?.candidate?.salt], [0.1, id]);
  const late = follow(reactor.url, '1');
  assert.deepEqual(
    await late.next(),
    await reactor.routes(),
    'not from where it was: a snapshot is complete',
  );
  await reactor.must('POST', `/api/deployments/${id}/promote`);
  for (const reader of [stream, late]) assert.equal((await reader.next()).routes[0]?.stable.version, GOOD);
  for (const reader of [stream, late]) reader.end();
});

test('revisions only grow, also over a restart', async (t) => {
  const world = await rolloutWorld(t);
  await roll(world.reactor, GOOD);
  const before = await world.reactor.routes();
  const reactor = await world.restart();
  const stream = follow(reactor.url);
  assert.deepEqual(await stream.next(), before);
  await reactor.must('POST', '/api/models/rollback', { model_type: 'nlu' });
  assert.equal((await stream.next()).revision, before.revision + 1);
  stream.end();
});
