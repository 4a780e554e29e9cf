// Evidence and the guards: what it takes to send a candidate back, and what does not.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  broken,
  CHAMPION,
  errors,
  GOOD,
  requests,
  roll,
  rolloutWorld,
  STEP_REQUESTS,
  STEP_SECONDS,
} from './rollout-world.ts';

const SESSIONS = 8;

const SHARES = [
  { kind: 'failed', guard: 'error_share', what: 'an error' },
  { kind: 'corrected', guard: 'error_share', what: 'an error' },
  { kind: 'slow', guard: 'slow_answers', what: 'a slow answer' },
] as const;
for (const { kind, guard, what } of SHARES) {
  test(`Guard 1: too many sessions with ${kind} requests on the candidate send it back, with the reason`, async (t) => {
    const { reactor } = await rolloutWorld(t);
    const id = await roll(reactor, GOOD);
    await reactor.evidence([requests(id, 0, 1000), ...errors(id, SESSIONS, { kind })]);
    const { reason, current_percentage, guards, ended_at } = await reactor.deploymentIn(id, 'rolled_back');
    assert.match(
      reason,
      new RegExp(
        `^Of 8 sessions with ${what}, 8 had it on v0\\.1\\.1, which served 10 % of requests: chance of .* at most .* %\\.$`,
      ),
    );
    assert.equal(current_percentage, 0);
    assert.ok(ended_at !== null);
    assert.equal(guards.find((g) => g.guard === guard)?.broken, true);
    const [route] = (await reactor.routes()).routes;
    assert.deepEqual([route?.stable.version, route?.candidate], [CHAMPION, null]);
  });
}

test('errors on the stable version, or all of one session, do not', async (t) => {
  const { reactor, looked } = await rolloutWorld(t);
  const id = await roll(reactor, GOOD);
  await reactor.evidence([
    ...errors(id, 50, { arm: 'stable' }),
    ...errors(id, 50, { kind: 'corrected', session: 'the same' }),
  ]);
  await looked();
  const { state, guards } = await reactor.deployment(id);
  assert.equal(state, 'rolling');
  assert.ok(guards.every((g) => !g.broken));
});

test('Guard 3: too many failed requests send it back, also of one session', async (t) => {
  const { reactor } = await rolloutWorld(t);
  const id = await roll(reactor, GOOD);
  await reactor.evidence([requests(id, 0, 100), ...errors(id, 30, { session: 'the same' })]);
  const { reason, guards } = await reactor.deploymentIn(id, 'rolled_back');
  assert.match(reason, /^30 of 100 requests to v0\.1\.1 failed, over the limit of 5 %: chance of .* %\.$/);
  assert.deepEqual(
    guards.map((g) => [g.guard, g.broken]),
    [
      ['error_share', false],
      ['slow_answers', false],
      ['paired_accuracy', false],
      ['failure_limit', true],
    ],
  );
});

test("Guard 3 takes the deployment's own limit", async (t) => {
  const { reactor, looked } = await rolloutWorld(t);
  const id = await roll(reactor, GOOD, { config: { rollback_on_error_rate: 0.5 } });
  await reactor.evidence([requests(id, 0, 100), ...errors(id, 30, { session: 'the same' })]);
  await looked();
  assert.equal((await reactor.deployment(id)).state, 'rolling');
});

test('a candidate that cannot be served goes back at once', async (t) => {
  const { reactor } = await rolloutWorld(t);
  const id = await roll(reactor, GOOD);
  await reactor.evidence([broken(id, 'its graph does not load')]);
  const { reason } = await reactor.deploymentIn(id, 'rolled_back');
  assert.equal(reason, "v0.1.1 can't be served: its graph does not load");
});

test('without automatic rollback a broken guard holds the rollout for a person', async (t) => {
  const { reactor, clock } = await rolloutWorld(t);
  const id = await roll(reactor, GOOD, { config: { auto_rollback: false } });
  await reactor.evidence([requests(id, 0, STEP_REQUESTS), ...errors(id, SESSIONS)]);
  clock.advance(STEP_SECONDS);
  const held = await reactor.deploymentThat(id, 'a guard to be broken', (d) =>
    /Automatic rollback is off/.test(d.reason),
  );
  assert.equal(held.state, 'holding');
  await reactor.must('POST', '/api/models/rollback', { model_type: 'nlu' });
  assert.equal((await reactor.deployment(id)).reason, 'rolled back by hand');
});

test('a paused rollout is judged on', async (t) => {
  const { reactor } = await rolloutWorld(t);
  const id = await roll(reactor, GOOD);
  await reactor.must('POST', `/api/deployments/${id}/pause`);
  await reactor.evidence(errors(id, SESSIONS));
  await reactor.deploymentIn(id, 'rolled_back');
});

test('each piece of evidence counts once, in whatever batch and however often it comes', async (t) => {
  const { reactor, looked } = await rolloutWorld(t);
  const id = await roll(reactor, GOOD);
  const [first, second] = [requests(id, 0, 3), requests(id, 0, 4)];
  const few = errors(id, 2);
  const receipt = (accepted: number, repeated: number, unknown = 0) => ({
    accepted,
    repeated,
    unknown_deployment: unknown,
  });
  assert.deepEqual(await reactor.evidence([first, ...few]), receipt(3, 0));
  for (let i = 0; i < 5; i += 1) assert.deepEqual(await reactor.evidence([first, ...few]), receipt(0, 3));
  assert.deepEqual(await reactor.evidence([second, first, second]), receipt(1, 2));
  assert.deepEqual(await reactor.evidence([requests('nobody', 0, 1)]), receipt(0, 0, 1));
  await looked();
  const { steps, state } = await reactor.deployment(id);
  assert.deepEqual([steps[0]?.requests, state], [7, 'rolling']);
});

test('evidence in any order comes to the same', async (t) => {
  const { reactor } = await rolloutWorld(t);
  const id = await roll(reactor, GOOD);
  const batch = [requests(id, 0, 50), ...errors(id, 30, { session: 'the same' }), requests(id, 0, 50)];
  for (const piece of batch.toReversed()) await reactor.evidence([piece]);
  assert.match((await reactor.deploymentIn(id, 'rolled_back')).reason, /of \d+ requests to v0\.1\.1 failed/);
});

test('evidence survives a restart, and its repetition is known afterwards', async (t) => {
  const world = await rolloutWorld(t);
  const id = await roll(world.reactor, GOOD);
  const piece = requests(id, 0, 7);
  await world.reactor.evidence([piece]);
  const reactor = await world.restart();
  assert.deepEqual(await reactor.evidence([piece]), { accepted: 0, repeated: 1, unknown_deployment: 0 });
  assert.equal((await reactor.deployment(id)).steps[0]?.requests, 7);
});

test('evidence that comes after the end is taken and changes nothing', async (t) => {
  const { reactor, looked } = await rolloutWorld(t);
  const id = await roll(reactor, GOOD);
  await reactor.must('POST', `/api/deployments/${id}/abort`);
  const before = await reactor.deployment(id);
  const late = [requests(id, 0, 100), ...errors(id, 50)];
  assert.deepEqual(await reactor.evidence(late), { accepted: 51, repeated: 0, unknown_deployment: 0 });
  await looked();
  assert.deepEqual(await reactor.deployment(id), before);
});

test('evidence that does not fit is refused whole', async (t) => {
  const { reactor } = await rolloutWorld(t);
  const id = await roll(reactor, GOOD);
  const good = requests(id, 0, 1);
  for (const evidence of [[], [good, { ...good, count: 0 }], [good, { ...good, kind: 'hearsay' }]])
    await reactor.problem('invalid_request', ['POST', '/api/evidence', { evidence }]);
  assert.equal((await reactor.deployment(id)).steps[0]?.requests, 0);
});
