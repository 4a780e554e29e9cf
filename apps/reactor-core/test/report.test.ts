// The report of a rollout: what was compared, the evidence over time, why it ended; and rollbacks in a row.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { modelsSchema } from '@jarvis/contracts';
import {
  errors,
  GOOD,
  OTHER_GOOD,
  requests,
  roll,
  rollToSecondStep,
  rolloutWorld,
  STEP_REQUESTS,
  STEP_SECONDS,
} from './rollout-world.ts';

test('a rollout that was rolled back tells how its evidence grew, and what the rates were', async (t) => {
  const { reactor, clock, looked } = await rolloutWorld(t);
  const id = await roll(reactor, GOOD);
  await rollToSecondStep({ reactor, clock }, id);
  await looked();
  await reactor.evidence(errors(id, 8, { kind: 'corrected' }));
  await reactor.deploymentIn(id, 'rolled_back');
  const { deployment, rates, samples } = await reactor.report(id);
  assert.equal(deployment.state, 'rolled_back');
  assert.deepEqual([...new Set(samples.map((sample) => sample.percent))], [10, 50]);
  const share = samples.map((s) => s.guards.find((g) => g.guard === 'error_share')?.evidence ?? 0);
  assert.equal(share[0], 1);
  assert.ok((share.at(-1) ?? 0) > 50, 'the last one has what broke it');
  assert.deepEqual(samples.at(-1)?.errors.corrected, { stable: 0, candidate: 8 });
  assert.deepEqual(samples.at(-1)?.pairs, { answered: 7, differed: 2, candidate_wrong: 0, stable_wrong: 0 });
  const corrected = rates.find((r) => r.arm === 'candidate' && r.what === 'corrected');
  assert.deepEqual([corrected?.events, corrected?.requests], [8, STEP_REQUESTS]);
  assert.ok(
    corrected !== undefined && corrected.lower > 0.2 && corrected.lower < 0.8 && corrected.upper > 0.8,
  );
  assert.equal((await reactor.problem('not_found', ['GET', '/api/deployments/nobody/report'])).status, 404);
});

test('looks without news add no samples; news add one a twentieth of a step', async (t) => {
  const { reactor, clock, looked } = await rolloutWorld(t);
  const id = await roll(reactor, GOOD);
  await looked();
  await looked();
  assert.equal((await reactor.report(id)).samples.length, 1);
  for (let i = 0; i < 3; i += 1) {
    await reactor.evidence([requests(id, 0, 1)]);
    clock.advance(STEP_SECONDS / 20 + 0.1);
    await looked();
  }
  assert.equal((await reactor.report(id)).samples.length, 4);
});

test('rollbacks in a row are counted, and a promotion ends the row', async (t) => {
  const { reactor, clock } = await rolloutWorld(t);
  const inARow = async () =>
    modelsSchema.parse(await reactor.must('GET', '/api/models')).models['nlu']?.rolled_back;
  assert.equal(await inARow(), null);
  for (const [i, version] of [GOOD, OTHER_GOOD].entries()) {
    clock.advance(1);
    const id = await roll(reactor, version);
    await reactor.evidence(errors(id, 8));
    const { reason, ended_at } = await reactor.deploymentIn(id, 'rolled_back');
    assert.deepEqual(await inARow(), { in_a_row: i + 1, reason, ended_at });
  }
  clock.advance(1);
  const id = await roll(reactor, GOOD);
  await reactor.must('POST', `/api/deployments/${id}/promote`);
  assert.equal(await inARow(), null);
});
