// What the store of Reactor Core promises of versions, deployments, their evidence and the routes, on both engines.
import assert from 'node:assert/strict';
import type { RolloutSample, Routes } from '@jarvis/contracts';
import { startJudge } from '@jarvis/policy';
import { createEventLog, type Database } from '@jarvis/store';
import * as deployments from '../src/store/deployments.ts';
import * as evidence from '../src/store/evidence.ts';
import * as samples from '../src/store/samples.ts';
import { newestRoutes, NO_ROUTES, ROUTES_STREAM } from '../src/store/routes.ts';
import * as versions from '../src/store/versions.ts';
import { AT, conform, LATER, write } from './store-conformance.ts';

function newVersion(version: string, change: Partial<versions.NewVersion> = {}): versions.NewVersion {
  const nothing = { job_id: null, parent_version: null };
  return {
    model_type: 'nlu',
    version,
    digest: 'd'.repeat(64),
    manifest: '{}',
    created_at: AT,
    ...nothing,
    ...change,
  };
}

async function withVersions(db: Database, ...names: string[]): Promise<void> {
  await write(db, async (tx) => {
    for (const name of names) await versions.insertVersion(tx, newVersion(name));
  });
}

conform('versions are ordered by their numbers, and one job mints one', async (db) => {
  await withVersions(db, 'v0.1.0', 'v0.10.0', 'v0.9.9', 'v0.1.10', 'v0.1.9');
  const listed = (await versions.listVersions(db, 'nlu')).map((v) => v.version);
  assert.deepEqual(listed, ['v0.10.0', 'v0.9.9', 'v0.1.10', 'v0.1.9', 'v0.1.0']);
  assert.equal((await versions.findLatestVersion(db, 'nlu'))?.version, 'v0.10.0');
  assert.equal(await versions.findLatestVersion(db, 'voice'), undefined);
  assert.deepEqual({ ...(await versions.findVersion(db, 'nlu', 'v0.9.9')) }.digest, 'd'.repeat(64));
  assert.equal(await versions.findVersion(db, 'voice', 'v0.9.9'), undefined);
  const mint = (version: string) =>
    write(db, (tx) => versions.insertVersion(tx, newVersion(version, { job_id: 'job-1' })));
  await mint('v1.0.0');
  await assert.rejects(mint('v1.0.1'), 'the same job');
  await assert.rejects(
    write(db, (tx) => versions.insertVersion(tx, newVersion('v0.1.0'))),
    'the same version',
  );
  assert.deepEqual(
    (await versions.countVersions(db)).map((v) => [v.model_type, v.versions]),
    [['nlu', 6]],
  );
});

conform('the champion is the newest promotion that was not taken back', async (db) => {
  await withVersions(db, 'v0.1.0', 'v0.2.0', 'v0.3.0');
  assert.equal(await versions.championOf(db, 'nlu'), null);
  assert.equal(await versions.championBefore(db, 'nlu'), null);
  for (const version of ['v0.1.0', 'v0.2.0', 'v0.3.0'])
    await write(db, (tx) => versions.insertPromotion(tx, { modelType: 'nlu', version, at: AT }));
  assert.equal(await versions.championOf(db, 'nlu'), 'v0.3.0');
  assert.equal(await versions.championBefore(db, 'nlu'), 'v0.2.0');
  await write(db, (tx) => versions.revertPromotionsTo(tx, 'nlu', 'v0.1.0', LATER));
  assert.equal(await versions.championOf(db, 'nlu'), 'v0.1.0');
  assert.equal(await versions.championBefore(db, 'nlu'), null);
  assert.equal(await versions.wasPromoted(db, 'nlu', 'v0.3.0'), true, 'though it was taken back');
  assert.deepEqual(
    (await versions.listChampions(db)).map((v) => [v.model_type, v.version]),
    [['nlu', 'v0.1.0']],
  );
  const unknown = { modelType: 'nlu', version: 'v9.9.9', at: AT };
  await assert.rejects(
    write(db, (tx) => versions.insertPromotion(tx, unknown)),
    'there is no such version',
  );
});

function newDeployment(
  id: string,
  change: Partial<deployments.NewDeployment> = {},
): deployments.NewDeployment {
  return {
    deployment_id: id,
    model_type: 'nlu',
    model_version: 'v0.1.0',
    strategy: 'gradual_rollout',
    reason: 'asked for',
    plan: '{"steps":[10,100]}',
    salt: 's',
    judge: '{}',
    created_at: AT,
    ...change,
  };
}

async function withDeployments(db: Database, ...ids: string[]): Promise<void> {
  await withVersions(db, 'v0.1.0');
  await write(db, async (tx) => {
    for (const id of ids) await deployments.insertDeployment(tx, newDeployment(id));
  });
}

const move = (db: Database, id: string, state: deployments.DeploymentRow['state'], at = AT) =>
  write(db, (tx) => deployments.moveDeployment(tx, id, { state, reason: `now ${state}`, at }));

conform('a deployment moves along its lifecycle only, and ends once', async (db) => {
  await withDeployments(db, 'd-1');
  assert.equal(await move(db, 'd-1', 'paused'), false, 'before its gate');
  assert.equal(await move(db, 'd-1', 'rolling'), true);
  assert.equal(await move(db, 'd-1', 'holding'), true);
  assert.equal((await deployments.findDeployment(db, 'd-1'))?.ended_at, null);
  assert.equal(await move(db, 'd-1', 'rolled_back', LATER), true);
  assert.equal(await move(db, 'd-1', 'rolling'), false);
  const { state, reason, ended_at } = (await deployments.findDeployment(db, 'd-1')) ?? {};
  assert.deepEqual([state, reason, ended_at], ['rolled_back', 'now rolled_back', LATER]);
});

conform('one deployment of a kind gets traffic; the others of it wait or have ended', async (db) => {
  await withDeployments(db, 'd-1', 'd-2', 'd-3');
  await move(db, 'd-1', 'rolling');
  await assert.rejects(move(db, 'd-2', 'rolling'), 'there is one');
  assert.equal((await deployments.findActiveRollout(db, 'nlu'))?.deployment_id, 'd-1');
  assert.equal(await deployments.findActiveRollout(db, 'voice'), undefined);
  assert.equal((await deployments.listActiveRollouts(db)).length, 1);
  await move(db, 'd-3', 'rejected');
  const beside = { modelType: 'nlu', deploymentId: 'd-2', before: AT };
  const open = (await deployments.listOpenBeside(db, beside)).map((d) => d.deployment_id);
  assert.deepEqual(open, ['d-1']);
  const before = await deployments.listOpenBeside(db, {
    ...beside,
    deploymentId: 'd-1',
    before: AT.replace('10', '09'),
  });
  assert.deepEqual(before, [], 'd-2 came later');
});

conform('a gate that came to no answer is due again later', async (db) => {
  await withDeployments(db, 'd-1');
  const due = async (nowMs: number) => (await deployments.listGating(db, nowMs)).map((d) => d.deployment_id);
  assert.deepEqual(await due(0), ['d-1']);
  const retry = { failures: 2, retryAtMs: 1_700_000_000_000, reason: 'no answer' };
  await write(db, (tx) => deployments.setGateRetry(tx, 'd-1', retry));
  assert.deepEqual(await due(1_699_999_999_999), []);
  assert.deepEqual(await due(1_700_000_000_000), ['d-1']);
  await move(db, 'd-1', 'rejected');
  await write(db, (tx) => deployments.setGateRetry(tx, 'd-1', { ...retry, failures: 3 }));
  assert.equal((await deployments.findDeployment(db, 'd-1'))?.gate_failures, 2, 'it has ended');
});

conform('steps, their clock and the judge are in the row', async (db) => {
  await withDeployments(db, 'd-1');
  await move(db, 'd-1', 'rolling');
  const history = [{ percent: 10, startedMs: 1_700_000_000_000, endedMs: null }];
  const gate = { passed: true } as unknown as ReturnType<typeof deployments.gateOf>;
  const judge = startJudge({ alpha: 0.05, failureLimit: 0.1 });
  await write(db, async (tx) => {
    await deployments.setStep(tx, 'd-1', { index: 1, startedMs: 1_700_000_000_000, history });
    await deployments.setStepClock(tx, 'd-1', { startedMs: 1_700_000_000_001, pausedMs: 5 });
    await deployments.setStable(tx, 'd-1', 'v0.1.0');
    await deployments.setGate(tx, 'd-1', gate);
    await deployments.setJudge(tx, 'd-1', judge);
    await deployments.setReason(tx, 'd-1', 'because');
  });
  const row = await deployments.findDeployment(db, 'd-1');
  assert.ok(row);
  assert.deepEqual([row.step_index, row.step_started_ms, row.step_paused_ms], [1, 1_700_000_000_001, 5]);
  assert.deepEqual([row.stable_version, row.reason], ['v0.1.0', 'because']);
  assert.deepEqual(deployments.historyOf(row), history);
  assert.deepEqual(deployments.gateOf(row), gate);
  assert.deepEqual(deployments.judgeOf(row), judge);
  assert.equal(deployments.percentOf(row), 100);
  await write(db, (tx) => deployments.setStep(tx, 'd-1', { index: 0, startedMs: 1, history }));
  assert.equal(
    (await deployments.findDeployment(db, 'd-1'))?.step_paused_ms,
    null,
    'a new step is not paused',
  );
});

conform('deployments are listed newest first, no more than asked for', async (db) => {
  await withDeployments(db, 'd-1');
  await write(db, (tx) => deployments.insertDeployment(tx, newDeployment('d-2', { created_at: LATER })));
  const listed = async (limit: number) =>
    (await deployments.listDeployments(db, limit)).map((d) => d.deployment_id);
  assert.deepEqual(await listed(10), ['d-2', 'd-1']);
  assert.deepEqual(await listed(1), ['d-2']);
});

conform('samples of a rollout come in their order, and go with all but the newest rollouts', async (db) => {
  const sample = (percent: number) => ({ percent }) as RolloutSample;
  const at = { atMs: 1.5 };
  await withDeployments(db, 'd-1');
  await write(db, async (tx) => {
    await deployments.insertDeployment(tx, newDeployment('d-2', { created_at: LATER }));
    for (const id of ['d-1', 'd-2'])
      for (const percent of [10, 25])
        await samples.addSample(tx, { deploymentId: id, ...at }, sample(percent));
  });
  assert.deepEqual(await samples.listSamples(db, 'd-1', 9), [sample(10), sample(25)]);
  assert.deepEqual(await samples.lastSample(db, 'd-2'), sample(25));
  await write(db, (tx) => samples.forgetOldSamples(tx, 1));
  assert.equal(await samples.lastSample(db, 'd-1'), null);
  assert.deepEqual(await samples.listSamples(db, 'd-2', 1), [sample(10)]);
});

conform(
  'evidence counts once by its id, and a session once in a rollout, until both are forgotten',
  async (db) => {
    const note = (id: string, of: string) => write(db, (tx) => evidence.noteEvidence(tx, id, of));
    const error = (of: string, session: string) =>
      write(db, (tx) => evidence.noteSession(tx, of, { sessionHash: session, mark: 'error' }));
    assert.deepEqual(
      [await note('e-1', 'd-1'), await note('e-1', 'd-1'), await note('e-2', 'd-2')],
      [true, false, true],
    );
    assert.deepEqual(
      [await error('d-1', 's'), await error('d-1', 's'), await error('d-2', 's')],
      [true, false, true],
    );
    await write(db, (tx) => evidence.forgetEvidence(tx, 'd-1'));
    assert.deepEqual([await note('e-1', 'd-1'), await note('e-2', 'd-2')], [true, false]);
    assert.deepEqual([await error('d-1', 's'), await error('d-2', 's')], [true, false]);
  },
);

conform('the routes are the newest that were published', async (db) => {
  assert.deepEqual(await newestRoutes(db), NO_ROUTES);
  const events = createEventLog(db);
  const publish = (revision: number) =>
    write(db, (tx) => {
      const data: Routes = { revision, routes: [] };
      return events.append(tx, { stream: ROUTES_STREAM, type: 'routes', data, at: AT });
    });
  for (const revision of [1, 2]) await publish(revision);
  assert.deepEqual(await newestRoutes(db), { revision: 2, routes: [] });
});
