// Rollouts in steps: what ends a step, what holds it, and that all of it goes on after a restart.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeWorld } from './harness.ts';
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

test('the first version of a kind goes to everybody at once, whatever strategy is asked for', async (t) => {
  const world = await makeWorld(t);
  const reactor = await world.start();
  await reactor.start(world.body({}));
  await reactor.eventsToEnd('job-1');
  const id = await reactor.deploy('v0.1.0', { strategy: 'gradual_rollout' });
  const { reason, current_percentage, stable_version } = await reactor.deploymentIn(id, 'promoted');
  assert.match(reason, /the first version of its kind/);
  assert.deepEqual([current_percentage, stable_version], [100, null]);
  assert.equal((await reactor.routes()).routes[0]?.stable.version, 'v0.1.0');
});

test('a gradual rollout goes step by step, each after its time and its requests, to the end', async (t) => {
  const { reactor, clock } = await rolloutWorld(t);
  const answer = await reactor.must('POST', '/api/models/deploy', { model_type: 'nlu', model_version: GOOD });
  const {
    deployment_id: id,
    message,
    ...rest
  } = answer as Record<string, unknown> & { deployment_id: string };
  assert.deepEqual(rest, { model_version: GOOD, status: 'deploying', current_percentage: 0 });
  assert.equal(typeof message, 'string');
  for (const [step, percent] of [10, 50, 100].entries()) {
    const at = await reactor.deploymentThat(id, `${percent} %`, (d) => d.current_percentage === percent);
    assert.equal(at.state, 'rolling');
    const candidate = (await reactor.routes()).routes[0]?.candidate;
    assert.deepEqual([candidate?.version, candidate?.weight, candidate?.step], [GOOD, percent / 100, step]);
    await reactor.evidence([requests(id, step, STEP_REQUESTS)]);
    clock.advance(STEP_SECONDS);
  }
  const done = await reactor.deploymentIn(id, 'promoted');
  assert.match(done.reason, /served 10 requests at 100 % and no guard is broken: it is now the champion/);
  assert.equal(done.stable_version, CHAMPION);
  assert.deepEqual(
    done.steps.map((s) => [s.percent, s.requests]),
    [
      [10, 10],
      [50, 10],
      [100, 10],
    ],
  );
  assert.ok(done.steps.every((s) => s.seconds >= STEP_SECONDS));
  const [route] = (await reactor.routes()).routes;
  assert.deepEqual([route?.stable.version, route?.candidate], [GOOD, null]);
});

test('with its requests but before its time a step goes on, also when the clock is put back', async (t) => {
  const { reactor, clock, looked } = await rolloutWorld(t);
  const id = await roll(reactor, GOOD);
  await reactor.evidence([requests(id, 0, STEP_REQUESTS)]);
  clock.advance(STEP_SECONDS / 2);
  await looked();
  assert.equal((await reactor.deployment(id)).current_percentage, 10);
  clock.advance(-3 * STEP_SECONDS);
  await looked();
  assert.deepEqual(
    [(await reactor.deployment(id)).state, (await reactor.deployment(id)).steps.length],
    ['rolling', 1],
  );
  clock.advance(4 * STEP_SECONDS);
  await reactor.deploymentThat(id, '50 %', (d) => d.current_percentage === 50);
});

test('with its time over but too few requests it holds, says so, and goes on when they come', async (t) => {
  const { reactor, clock, looked } = await rolloutWorld(t);
  const id = await roll(reactor, GOOD);
  clock.advance(STEP_SECONDS);
  const held = await reactor.deploymentIn(id, 'holding');
  assert.equal(
    held.reason,
    'Too little traffic at 10 %: v0.1.1 has served 0 of the 10 requests that this step needs.',
  );
  assert.equal((await reactor.routes()).routes[0]?.candidate?.weight, 0.1, 'it keeps its share');
  await reactor.evidence([requests(id, 0, STEP_REQUESTS - 1)]);
  await reactor.deploymentThat(id, 'the reason to follow', (d) => /served 9 of the 10/.test(d.reason));
  await reactor.evidence([requests(id, 1, 50)]);
  await looked();
  assert.equal((await reactor.deployment(id)).state, 'holding', "another step's requests do not count");
  await reactor.evidence([requests(id, 0, 1)]);
  const on = await reactor.deploymentThat(id, '50 %', (d) => d.current_percentage === 50);
  assert.equal(on.state, 'rolling');
});

test('a rollout goes on after a restart, and the time that passed meanwhile counts', async (t) => {
  const world = await rolloutWorld(t);
  const id = await roll(world.reactor, GOOD);
  await world.reactor.evidence([requests(id, 0, STEP_REQUESTS)]);
  const before = await world.reactor.routes();
  const reactor = await world.restart();
  assert.deepEqual(await reactor.routes(), before);
  await world.looked();
  assert.equal((await reactor.deployment(id)).current_percentage, 10);
  world.clock.advance(STEP_SECONDS);
  await reactor.deploymentThat(
    id,
    '50 %',
    (d) => d.current_percentage === 50 && d.steps[0]?.requests === STEP_REQUESTS,
  );
});

test('immediate goes through the gate, then to everybody', async (t) => {
  const { reactor } = await rolloutWorld(t);
  const id = await reactor.deploy(GOOD, { strategy: 'immediate' });
  const { gate, reason } = await reactor.deploymentIn(id, 'promoted');
  assert.equal(gate?.rows, 16);
  assert.match(reason, /held-out rows correct/);
  assert.equal((await reactor.routes()).routes[0]?.stable.version, GOOD);
});

test('what does not fit is refused', async (t) => {
  const { reactor } = await rolloutWorld(t);
  const deploy = (body: object) =>
    ['POST', '/api/models/deploy', { model_type: 'nlu', model_version: GOOD, ...body }] as [
      string,
      string,
      object,
    ];
  for (const [field, config] of [
    ['rollout_steps', { rollout_steps: [10, 50] }],
    ['rollout_steps.1', { rollout_steps: [50, 0, 100] }],
    ['initial_percentage', { initial_percentage: 0 }],
    ['rollback_on_error_rate', { rollback_on_error_rate: 1 }],
  ] as const) {
    const { issues } = await reactor.problem('invalid_request', deploy({ config }));
    assert.ok(
      issues?.some(({ path }) => path === `body.config.${field}`),
      JSON.stringify(issues),
    );
  }
  await reactor.problem('not_found', deploy({ model_version: 'v9.9.9' }));
  await reactor.problem('not_found', ['GET', '/api/deployments/nobody']);
  const { deployments } = (await reactor.must('GET', '/api/deployments')) as { deployments: unknown[] };
  assert.equal(deployments.length, 1, "none but the seed's");
});

test("a deployment's own configuration counts before the environment's", async (t) => {
  const { reactor, clock } = await rolloutWorld(t);
  const config = {
    initial_percentage: 20,
    rollout_steps: [20, 100],
    monitor_duration_seconds: STEP_SECONDS / 5,
  };
  const id = await roll(reactor, GOOD, { config });
  assert.equal((await reactor.deployment(id)).current_percentage, 20);
  clock.advance(STEP_SECONDS / 5);
  await reactor.evidence([requests(id, 0, STEP_REQUESTS)]);
  await reactor.deploymentThat(id, '100 %', (d) => d.current_percentage === 100);
});

test('a newer candidate takes the place of one under way, in one change of the routes', async (t) => {
  const { reactor } = await rolloutWorld(t);
  const older = await roll(reactor, GOOD);
  const { revision } = await reactor.routes();
  const newer = await roll(reactor, OTHER_GOOD);
  const superseded = await reactor.deployment(older);
  assert.deepEqual([superseded.state, superseded.current_percentage], ['superseded', 0]);
  assert.match(superseded.reason, /v0\.1\.2 takes its place/);
  assert.deepEqual((await reactor.deployment(older)).steps, superseded.steps, 'its last step is over');
  const routes = await reactor.routes();
  assert.equal(routes.revision, revision + 1);
  assert.equal(routes.routes[0]?.candidate?.deployment_id, newer);
});
