// What a person may do about a rollout, and what not any more.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  CHAMPION,
  GOOD,
  OTHER_GOOD,
  requests,
  roll,
  rolloutWorld,
  STEP_REQUESTS,
  STEP_SECONDS,
} from './rollout-world.ts';

const ROLLBACK = '/api/models/rollback';
const act = (id: string, action: string): [string, string] => ['POST', `/api/deployments/${id}/${action}`];

test('the time of a step stands still while it is paused', async (t) => {
  const { reactor, clock, looked } = await rolloutWorld(t);
  const id = await roll(reactor, GOOD);
  await reactor.evidence([requests(id, 0, STEP_REQUESTS)]);
  clock.advance(STEP_SECONDS - 10);
  await reactor.must(...act(id, 'pause'));
  clock.advance(10 * STEP_SECONDS);
  await looked();
  const paused = await reactor.deployment(id);
  assert.deepEqual(
    [paused.state, paused.reason, paused.current_percentage],
    ['paused', 'paused by hand', 10],
  );
  await reactor.must(...act(id, 'resume'));
  await looked();
  assert.equal((await reactor.deployment(id)).current_percentage, 10, 'ten seconds are left');
  clock.advance(10);
  await reactor.deploymentThat(id, '50 %', (d) => d.current_percentage === 50);
});

test('a pause lasts over a restart', async (t) => {
  const world = await rolloutWorld(t);
  const id = await roll(world.reactor, GOOD);
  await world.reactor.evidence([requests(id, 0, STEP_REQUESTS)]);
  await world.reactor.must(...act(id, 'pause'));
  const reactor = await world.restart(() => world.clock.advance(10 * STEP_SECONDS));
  await world.looked();
  assert.equal((await reactor.deployment(id)).state, 'paused');
  await reactor.must(...act(id, 'resume'));
  await world.looked();
  assert.equal((await reactor.deployment(id)).current_percentage, 10);
});

test('promote goes to everybody at once, abort back to stable; then nothing more may be done', async (t) => {
  const { reactor } = await rolloutWorld(t);
  for (const [action, state, version] of [
    ['abort', 'aborted', CHAMPION],
    ['promote', 'promoted', GOOD],
  ] as const) {
    const id = await roll(reactor, GOOD);
    const answer = (await reactor.must(...act(id, action))) as { state: string; reason: string };
    assert.deepEqual([answer.state, answer.reason], [state, `${state} by hand`]);
    const [route] = (await reactor.routes()).routes;
    assert.deepEqual([route?.stable.version, route?.candidate], [version, null]);
    for (const late of ['pause', 'resume', 'promote', 'abort'])
      await reactor.problem('illegal_transition', act(id, late));
  }
});

test('what the lifecycle does not allow is refused and changes nothing', async (t) => {
  const { reactor } = await rolloutWorld(t);
  const id = await roll(reactor, GOOD);
  await reactor.problem('illegal_transition', act(id, 'resume'));
  await reactor.must(...act(id, 'pause'));
  await reactor.problem('illegal_transition', act(id, 'pause'));
  assert.equal((await reactor.deployment(id)).state, 'paused');
  for (const action of ['pause', 'resume', 'promote', 'abort'])
    await reactor.problem('not_found', act('nobody', action));
});

test('rollback ends the rollout under way; without one it goes to the champion before', async (t) => {
  const { reactor } = await rolloutWorld(t);
  const first = await roll(reactor, GOOD);
  const answer = await reactor.must('POST', ROLLBACK, { model_type: 'nlu' });
  const { message, ...rest } = answer as Record<string, unknown>;
  assert.deepEqual(rest, { model_type: 'nlu', rolled_back_to: CHAMPION });
  assert.match(String(message), /nlu is served by v0\.1\.0/);
  assert.deepEqual(
    [(await reactor.deployment(first)).state, (await reactor.deployment(first)).reason],
    ['rolled_back', 'rolled back by hand'],
  );
  const second = await roll(reactor, GOOD);
  await reactor.must(...act(second, 'promote'));
  await reactor.must('POST', ROLLBACK, { model_type: 'nlu' });
  assert.equal((await reactor.routes()).routes[0]?.stable.version, CHAMPION);
  await reactor.problem('nothing_to_roll_back_to', ['POST', ROLLBACK, { model_type: 'nlu' }]);
});

test('rollback to a version that is named, if it was ever served to everybody', async (t) => {
  const { reactor } = await rolloutWorld(t);
  for (const version of [GOOD, OTHER_GOOD])
    await reactor.must(...act(await roll(reactor, version), 'promote'));
  const to = (previous_version: string): [string, string, object] => [
    'POST',
    ROLLBACK,
    { model_type: 'nlu', previous_version },
  ];
  await reactor.problem('nothing_to_roll_back_to', to('v0.1.3'));
  await reactor.problem('nothing_to_roll_back_to', to('v9.9.9'));
  for (const version of [CHAMPION, OTHER_GOOD]) {
    await reactor.must(...to(version));
    assert.equal((await reactor.routes()).routes[0]?.stable.version, version);
  }
});

test('a rollback that is refused leaves the rollout under way alone', async (t) => {
  const { reactor } = await rolloutWorld(t);
  const id = await roll(reactor, GOOD);
  const body = { model_type: 'nlu', previous_version: OTHER_GOOD };
  await reactor.problem('nothing_to_roll_back_to', ['POST', ROLLBACK, body]);
  assert.equal((await reactor.deployment(id)).state, 'rolling');
  await reactor.problem('nothing_to_roll_back_to', ['POST', ROLLBACK, { model_type: 'voice' }]);
});
