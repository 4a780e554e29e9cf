// The offline gate: a worse candidate is rejected; one that cannot be scored is tried again, and holds nobody up.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { rename, rm, truncate } from 'node:fs/promises';
import { test } from 'node:test';
import { modelVersionSchema } from '@jarvis/contracts';
import {
  CHAMPION,
  GOOD,
  OTHER_GOOD,
  requests,
  roll,
  type RolloutWorld,
  rolloutWorld,
  STEP_REQUESTS,
  STEP_SECONDS,
  WORSE,
} from './rollout-world.ts';
import { until } from './until.ts';

const LATER_SECONDS = 3600;

async function blobOf({ reactor, file }: RolloutWorld, version: string): Promise<string> {
  const answer = await reactor.must('GET', `/api/models/nlu/versions/${version}`);
  const [model] = Object.values(modelVersionSchema.parse(answer).files);
  return file('registry', 'blobs', model?.sha256 ?? '');
}

test('a clearly worse candidate is rejected with the figures, and nobody ever meets it', async (t) => {
  const { reactor } = await rolloutWorld(t);
  const before = await reactor.routes();
  const id = await reactor.deploy(WORSE);
  const { gate, reason, stable_version } = await reactor.deploymentIn(id, 'rejected');
  assert.ok(gate !== null && gate.champion_only >= 5 && gate.candidate_only === 0, JSON.stringify(gate));
  assert.equal(gate.rows, 16);
  assert.match(
    reason,
    /of 16 held-out rows correct, champion 16; clearly worse: .* the champion was in \d+ of \d+\.$/,
  );
  assert.equal(stable_version, null);
  assert.deepEqual(await reactor.routes(), before);
});

test('one that cannot be scored is tried again, then rejected; rollouts go on meanwhile', async (t) => {
  const world = await rolloutWorld(t);
  const { reactor, clock } = world;
  const rolling = await roll(reactor, GOOD);
  await truncate(await blobOf(world, OTHER_GOOD), 10);
  const id = await reactor.deploy(OTHER_GOOD);
  for (const [step, percent] of [50, 100].entries()) {
    const tries = `${step + 1} of 3 tries`;
    const waiting = await reactor.deploymentThat(id, tries, (d) => d.reason.includes(tries));
    assert.equal(waiting.state, 'gating');
    await reactor.evidence([requests(rolling, step, STEP_REQUESTS)]);
    clock.advance(STEP_SECONDS);
    await reactor.deploymentThat(rolling, `${percent} %`, (d) => d.current_percentage === percent);
  }
  const { reason } = await reactor.deploymentIn(id, 'rejected');
  assert.match(reason, /^The offline gate could not score it \(3 of 3 tries\): \w*Error: /);
  assert.notEqual((await reactor.deployment(rolling)).state, 'superseded');
});

test('what failed once may pass later, also after a restart', async (t) => {
  const world = await rolloutWorld(t);
  const dataset = world.file('runs', 'job-1', 'dataset.ndjson');
  await rename(dataset, `${dataset}.away`);
  const id = await world.reactor.deploy(GOOD);
  await world.reactor.deploymentThat(id, 'a try to fail', (d) => d.reason.includes('1 of 3 tries'));
  await rename(`${dataset}.away`, dataset);
  const reactor = await world.restart(() => world.clock.advance(LATER_SECONDS));
  assert.equal((await reactor.deploymentIn(id, 'rolling')).gate?.rows, 16);
});

test('scoring that takes long holds up neither rollouts nor the stop', async (t) => {
  const world = await rolloutWorld(t);
  const { reactor, clock } = world;
  const rolling = await roll(reactor, GOOD);
  const id = await hang(world, OTHER_GOOD, 'job-2');
  await reactor.evidence([requests(rolling, 0, STEP_REQUESTS)]);
  clock.advance(STEP_SECONDS);
  await reactor.deploymentThat(rolling, '50 %', (d) => d.current_percentage === 50);
  assert.equal((await reactor.deployment(id)).state, 'gating');
  await reactor.stop();
  await world.untilNoTrainer();
});

test('a stop is no failure of the gate: it is done again afterwards', async (t) => {
  const world = await rolloutWorld(t);
  const id = await hang(world, GOOD, 'job-1');
  const reactor = await world.restart();
  const { reason } = await reactor.deployment(id);
  assert.equal(reason, 'waits for the offline gate');
});

test('what was aborted while it was scored stays so, and ousts nobody', async (t) => {
  const world = await rolloutWorld(t);
  const { reactor } = world;
  const rolling = await roll(reactor, GOOD);
  const id = await hang(world, OTHER_GOOD, 'job-2');
  await reactor.must('POST', `/api/deployments/${id}/abort`);
  await feed(world, 'job-2');
  await world.untilNoTrainer();
  await world.looked();
  assert.equal((await reactor.deployment(id)).state, 'aborted');
  assert.equal((await reactor.deployment(rolling)).state, 'rolling');
});

test('promoted by hand before its gate is through, it takes the place of the rollout under way', async (t) => {
  const world = await rolloutWorld(t);
  const { reactor } = world;
  const rolling = await roll(reactor, GOOD);
  const id = await hang(world, OTHER_GOOD, 'job-2');
  await reactor.must('POST', `/api/deployments/${id}/promote`);
  assert.equal((await reactor.deployment(rolling)).state, 'superseded');
  const [route] = (await reactor.routes()).routes;
  assert.deepEqual([route?.stable.version, route?.candidate], [OTHER_GOOD, null]);
  assert.equal((await reactor.deployment(id)).stable_version, CHAMPION);
});

/** Deploys a version whose scoring waits for data: its data set is a pipe that nobody writes to. */
async function hang(world: RolloutWorld, version: string, jobId: string): Promise<string> {
  const dataset = world.file('runs', jobId, 'dataset.ndjson');
  await rename(dataset, `${dataset}.away`);
  execFileSync('sh', ['-c', 'mkfifo "$1"', 'sh', dataset]);
  const id = await world.reactor.deploy(version);
  const { trainers } = world;
  // The scoring program has the data set among its words, as trainers have their job.
  await until('the scoring to run', async () => (await trainers()).length === 1);
  return id;
}

async function feed(world: RolloutWorld, jobId: string): Promise<void> {
  const dataset = world.file('runs', jobId, 'dataset.ndjson');
  execFileSync('sh', ['-c', 'cat "$1.away" > "$1"', 'sh', dataset]);
  await rm(dataset);
  await rename(`${dataset}.away`, dataset);
}
