// The stream of a job: names, fields and ids of its events; resumed anywhere, each event comes once.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JobEvent } from './client.ts';
import { makeWorld } from './harness.ts';

const names = (events: readonly JobEvent[]): string[] => events.map((e) => e.name);
const ids = (events: readonly JobEvent[]): number[] => events.map((e) => e.id);
const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1);

test('the events of a run have the names and fields of the contract, and ids without a gap', async (t) => {
  const world = await makeWorld(t);
  const reactor = await world.start();
  await reactor.start(world.body({ epochs: 2 }));
  const events = await reactor.eventsToEnd('job-1');
  // accepted, started, then an epoch each; no checkpoint behind the last one, which is the artifact.
  assert.deepEqual(names(events), ['status', 'status', 'status', 'checkpoint', 'status', 'completed']);
  assert.deepEqual(ids(events), upTo(6));
  const [accepted, started, first, checkpoint, , completed] = events.map((e) => e.data);
  const common = { job_id: 'job-1', total_epochs: 2, attempt: 1, token: 1 };
  const none = { loss: null, accuracy: null };
  assert.deepEqual(accepted, { ...common, ...none, status: 'accepted', epoch: 0 });
  assert.deepEqual(started, { ...common, ...none, status: 'running', epoch: 0 });
  assert.deepEqual(first, { ...common, status: 'running', epoch: 1, loss: 1, accuracy: 0.5 });
  const path = world.file('runs', 'job-1', 'checkpoints', 'epoch');
  assert.deepEqual(checkpoint, { job_id: 'job-1', epoch: 1, checkpoint_path: path, metrics: { loss: 1 } });
  const { peak_ram_bytes: peak, ...rest } = completed ?? {};
  assert.ok(peak === null || (typeof peak === 'number' && peak > 0), `it held ${String(peak)} bytes at most`);
  assert.deepEqual(rest, {
    job_id: 'job-1',
    status: 'completed',
    model_version: 'v0.1.0',
    metrics: { epochs: 2 },
    attempt: 1,
  });
});

test('a stream opened after the end tells everything, and ends', async (t) => {
  const world = await makeWorld(t);
  const reactor = await world.start();
  await reactor.start(world.body({}));
  const live = await reactor.eventsToEnd('job-1');
  assert.deepEqual(await reactor.eventsToEnd('job-1'), live);
  assert.deepEqual(
    await reactor.eventsToEnd('job-1', live.length),
    [],
    'behind the last event it ends at once',
  );
});

test('a reader that comes back at any event misses none and sees none twice', async (t) => {
  const world = await makeWorld(t);
  const reactor = await world.start();
  await reactor.start(world.body({}));
  const all = await reactor.eventsToEnd('job-1');
  for (const { id } of all) assert.deepEqual(await reactor.eventsToEnd('job-1', id), all.slice(id));
});

test('a reader goes on where it was after a restart of Reactor Core', async (t) => {
  const world = await makeWorld(t);
  const before = await world.start();
  await before.start(world.body({ mode: 'held' }));
  const seen = await before.eventsUntil('job-1', (e) => e.name === 'checkpoint');
  await before.stop();
  const reactor = await world.start();
  await world.release('job-1');
  const rest = await reactor.eventsToEnd('job-1', seen.at(-1)?.id);
  const all = await reactor.eventsToEnd('job-1');
  assert.deepEqual([...seen, ...rest], all);
  assert.deepEqual(ids(all), upTo(all.length));
  assert.equal(names(all).filter((name) => name === 'completed').length, 1);
});

test('a stream that is open when Reactor Core stops is ended, not held', async (t) => {
  const world = await makeWorld(t);
  const reactor = await world.start();
  await reactor.start(world.body({ mode: 'held' }));
  const opened = Promise.withResolvers<void>();
  const broken = (async () => {
    for await (const event of reactor.events('job-1')) if (event.name === 'status') opened.resolve();
  })();
  await opened.promise;
  // A break without the stream's end: the reader knows that it has to come back.
  await Promise.all([assert.rejects(broken, { code: 'service_unavailable' }), reactor.stop()]);
});

test('many readers of a job get the same events', async (t) => {
  const world = await makeWorld(t);
  const reactor = await world.start();
  await reactor.start(world.body({ mode: 'held' }));
  const readers = Array.from({ length: 10 }, () => reactor.eventsToEnd('job-1'));
  await reactor.eventsUntil('job-1', (e) => e.name === 'checkpoint');
  await world.release('job-1');
  const [first, ...others] = await Promise.all(readers);
  for (const other of others) assert.deepEqual(other, first);
});

test('an unknown job has no stream, and a Last-Event-ID has to be a number', async (t) => {
  const world = await makeWorld(t);
  const reactor = await world.start();
  await reactor.problem('not_found', ['GET', '/api/training/stream/nobody']);
  await reactor.start(world.body({}));
  const answer = await fetch(`${reactor.url}/api/training/stream/job-1`, {
    headers: { 'last-event-id': 'x' },
  });
  assert.equal(answer.status, 400);
  assert.equal(((await answer.json()) as { code: string }).code, 'invalid_request');
  await reactor.eventsToEnd('job-1');
});
