// The inbox: one writer, in order, bounded, and closed at the end.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isCodedError } from '@jarvis/contracts';
import type { CoordinatorEvent } from '../src/index.ts';
import { asked, measured, World } from './world.ts';

const LETTERS_MAX = 100_000;

test('events are taken in the order in which they were put in', async () => {
  const world = await new World().wake();
  const id = await world.train();
  const event = (seq: number, name: string): CoordinatorEvent => ({
    type: 'run_event',
    event: { jobId: id, seq, event: name, data: { model_version: 'v0.1.0' } },
  });
  await world.tell(event(1, 'checkpoint'), event(2, 'checkpoint'), event(3, 'completed'));
  assert.equal(world.job(id).state, 'completed');
});

test('what comes in while it works is taken together, and followed by one look at what is to be done', async () => {
  const world = new World();
  const look = { type: 'look' } as const;
  await world.tell(look, look, look, look);
  assert.equal(world.performed.length, 2, 'one for the first, one for the three that came meanwhile');
});

test('an inbox that is full takes nothing more, and says when to come again', async () => {
  const world = new World();
  const look = { type: 'look' } as const;
  world.coordinator.post(look);
  // The first letter is taken out at once; the rest wait for it.
  for (let i = 0; i < LETTERS_MAX; i += 1) world.coordinator.post(look);
  await assert.rejects(world.coordinator.submit(asked()), (error) => {
    assert.ok(isCodedError(error, 'overloaded'));
    assert.equal(error.message, 'too many events are waiting');
    assert.deepEqual(error.details, { retry_after_seconds: 1 });
    return true;
  });
  assert.deepEqual(world.errors, []);
  await world.coordinator.stop();
});

test('stopped, it takes nothing more and refuses what still lies there, saying why', async () => {
  const world = new World();
  const stopping = (error: unknown): boolean => {
    assert.ok(isCodedError(error, 'service_unavailable'));
    assert.equal(error.message, 'JARVIS Core is stopping');
    return true;
  };
  const taken = world.coordinator.submit(asked());
  const lies = world.coordinator.cancel('job-1');
  const refused = assert.rejects(lies, stopping);
  await world.coordinator.stop();
  await taken;
  await refused;
  await assert.rejects(world.coordinator.submit(asked()), stopping);
  await world.coordinator.stop();
  await world.tell(measured());
  assert.equal(world.errors.length, 1);
  assert.ok(stopping(world.errors[0]?.error));
});

test('stop waits for what is being done', async () => {
  const world = await new World().wake();
  void world.coordinator.submit(asked());
  await world.coordinator.stop();
  assert.equal(world.job('job-1').state, 'starting');
});

test('what goes wrong with an event that nobody waits for is told with the event', async () => {
  const world = new World();
  const event = { type: 'cancel', jobId: 'nobody' } as const;
  await world.tell(event);
  assert.deepEqual(
    world.errors.map((e) => e.event),
    [event],
  );
  assert.ok(isCodedError(world.errors[0]?.error, 'not_found'));
});

test('the breaker of a kind is closed by hand; false when it has none', async () => {
  const world = await new World().wake();
  const breaker = {
    modelType: 'nlu',
    cause: 'failed_jobs',
    failures: 3,
    openUntilMs: world.nowMs + 1000,
    lastError: 'x',
  } as const;
  world.store.breakers.set('nlu', breaker);
  const id = await world.submit();
  assert.match(world.job(id).reason, /3 nlu jobs in a row failed/);
  assert.equal(await world.coordinator.resetBreaker('nlu'), true);
  await world.coordinator.idle();
  assert.equal(world.job(id).state, 'starting');
  assert.equal(await world.coordinator.resetBreaker('nlu'), false);
});
