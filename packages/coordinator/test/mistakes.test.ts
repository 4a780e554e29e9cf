// Mistakes of the program itself: they are told, and never run for ever.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { asked, World } from './world.ts';

const messages = (world: World): string[] => world.errors.map((e) => (e.error as Error).message);

test('a store that says that something moved, and moves nothing, is left after so many rounds', async () => {
  const world = await new World().wake();
  let rounds = 0;
  world.store.takeSlot = () => {
    rounds += 1;
    return Promise.resolve(true);
  };
  await world.submit();
  assert.equal(rounds, 10_000);
  assert.deepEqual(messages(world), ['invariant broken: scheduling did not settle within 10000 rounds']);
});

test('a store that leaves out a submission without a condition is caught', async () => {
  const world = new World();
  world.store.submit = () => Promise.resolve(null);
  const left = world.coordinator.submit(asked());
  await assert.rejects(left, /only a submission with a condition may be left out/);
});
