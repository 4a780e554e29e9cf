// The registry over HTTP: aliases wherever a version is named, and where a version comes from.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lineageSchema, modelAliasesSchema, modelVersionSchema } from '@jarvis/contracts';
import { CHAMPION, GOOD, OTHER_GOOD, rolloutWorld } from './rollout-world.ts';

const ALIASES = '/api/models/nlu/aliases';
const of = (version: string, more = '') => `/api/models/nlu/versions/${version}${more}`;

test('people name versions; a name stands wherever a version is named', async (t) => {
  const { reactor } = await rolloutWorld(t);
  const put = await reactor.must('PUT', `${ALIASES}/night`, { version: GOOD });
  assert.deepEqual(put, { model_type: 'nlu', alias: 'night', version: GOOD, kept: false });
  await reactor.must('PUT', `${ALIASES}/old`, { version: 'stable' });
  const { aliases } = modelAliasesSchema.parse(await reactor.must('GET', ALIASES));
  assert.deepEqual(
    aliases.map(({ alias, version }) => [alias, version]),
    [
      ['stable', CHAMPION],
      ['night', GOOD],
      ['old', CHAMPION],
    ],
  );
  const night = modelVersionSchema.parse(await reactor.must('GET', of('night')));
  assert.deepEqual([night.version, night.aliases], [GOOD, ['night']]);
  const deployment = await reactor.deployment(await reactor.deploy('night', { strategy: 'immediate' }));
  assert.equal(deployment.model_version, GOOD);
  await reactor.deploymentIn(deployment.deployment_id, 'promoted');
  const back = await reactor.must('POST', '/api/models/rollback', {
    model_type: 'nlu',
    previous_version: 'old',
  });
  assert.equal((back as { rolled_back_to: string }).rolled_back_to, CHAMPION);
  await reactor.must('DELETE', `${ALIASES}/night`);
  await reactor.problem('not_found', ['GET', of('night')]);
});

test('an alias of nothing, of a kept name, or of a strange form is refused', async (t) => {
  const { reactor } = await rolloutWorld(t);
  const put = (name: string, version: string) =>
    ['PUT', `${ALIASES}/${name}`, { version }] as [string, string, unknown];
  await reactor.problem('not_found', put('night', 'v9.9.9'));
  await reactor.problem('not_found', put('night', 'nobody'));
  await reactor.problem('not_found', put('night', 'previous'));
  for (const kept of ['stable', 'previous', 'candidate', 'champion', 'challenger'])
    await reactor.problem('alias_kept', put(kept, GOOD));
  await reactor.problem('alias_kept', ['DELETE', `${ALIASES}/stable`]);
  await reactor.problem('not_found', ['DELETE', `${ALIASES}/night`]);
  for (const strange of ['Night', 'v0.1.0', '-', 'a'.repeat(65)])
    await reactor.problem('invalid_request', put(strange, GOOD));
  for (let i = 0; i < 100; i++) await reactor.must('PUT', `${ALIASES}/name-${i}`, { version: GOOD });
  await reactor.problem('invalid_request', put('one-more', GOOD));
  await reactor.must('PUT', `${ALIASES}/name-7`, { version: CHAMPION });
});

test('a version tells its job, data, parent, code, gate and deployments', async (t) => {
  const { reactor } = await rolloutWorld(t);
  const read = async (version: string) =>
    lineageSchema.strict().parse(await reactor.must('GET', of(version, '/lineage')));
  const first = await read('stable');
  assert.deepEqual([first.version, first.origin, first.parent], [CHAMPION, 'training', null]);
  assert.deepEqual([first.job?.job_id, first.job?.epochs, first.job?.attempts], ['job-0', 12, 1]);
  assert.equal(first.trained_by.job_id, 'job-0');
  assert.deepEqual(
    first.deployments.map(({ state, gate }) => [state, gate]),
    [['promoted', null]],
  );
  const id = await reactor.deploy(OTHER_GOOD);
  await reactor.deploymentIn(id, 'rolling');
  const other = await read(OTHER_GOOD);
  assert.deepEqual(other.parent, { version: CHAMPION, digest: first.digest });
  assert.ok(other.dataset.rows > 0);
  assert.notEqual(other.dataset.sha256, first.dataset.sha256);
  const [deployment] = other.deployments;
  assert.deepEqual([deployment?.deployment_id, deployment?.state], [id, 'rolling']);
  assert.ok((deployment?.gate?.rows ?? 0) > 0);
  assert.equal((await read('candidate')).version, OTHER_GOOD);
  await reactor.problem('not_found', ['GET', of('v9.9.9', '/lineage')]);
});
