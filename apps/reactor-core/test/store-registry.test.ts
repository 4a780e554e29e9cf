// What the store of Reactor Core promises of aliases and retired versions, on both engines.
import assert from 'node:assert/strict';
import type { Database } from '@jarvis/store';
import * as aliases from '../src/store/aliases.ts';
import { insertDeployment, listDeploymentsOf, moveDeployment } from '../src/store/deployments.ts';
import * as versions from '../src/store/versions.ts';
import { AT, conform, LATER, write } from './store-conformance.ts';

async function withVersions(db: Database, ...names: string[]): Promise<void> {
  await write(db, async (tx) => {
    for (const version of names)
      await versions.insertVersion(tx, {
        model_type: 'nlu',
        version,
        digest: 'd'.repeat(64),
        manifest: '{}',
        job_id: null,
        parent_version: null,
        created_at: AT,
      });
  });
}

async function promote(db: Database, ...names: string[]): Promise<void> {
  for (const version of names)
    await write(db, (tx) => versions.insertPromotion(tx, { modelType: 'nlu', version, at: AT }));
}

const point = (db: Database, alias: string, version: string) =>
  write(db, (tx) => aliases.setAlias(tx, { modelType: 'nlu', alias, version, at: AT }));
const named = async (db: Database, name: string) => (await aliases.findNamed(db, 'nlu', name))?.version;

async function deploy(db: Database, id: string, version: string, at = AT): Promise<void> {
  await write(db, (tx) =>
    insertDeployment(tx, {
      deployment_id: id,
      model_type: 'nlu',
      model_version: version,
      strategy: 'gradual_rollout',
      reason: 'asked for',
      plan: '{"steps":[10,100]}',
      salt: 's',
      judge: '{}',
      created_at: at,
    }),
  );
}

conform('an alias points to one version of its kind, and only to one that there is', async (db) => {
  await withVersions(db, 'v0.1.0', 'v0.2.0');
  await point(db, 'night', 'v0.1.0');
  assert.equal(await named(db, 'night'), 'v0.1.0');
  assert.equal(await named(db, 'v0.2.0'), 'v0.2.0');
  await point(db, 'night', 'v0.2.0');
  assert.equal(await named(db, 'night'), 'v0.2.0');
  assert.equal(await aliases.findNamed(db, 'voice', 'night'), undefined, 'of another kind');
  await assert.rejects(point(db, 'dawn', 'v9.9.9'), 'there is no such version');
  assert.equal(await aliases.countOwnAliases(db, 'nlu'), 1);
  assert.equal(await write(db, (tx) => aliases.removeAlias(tx, 'nlu', 'night')), true);
  assert.equal(await write(db, (tx) => aliases.removeAlias(tx, 'nlu', 'night')), false);
  assert.equal(await named(db, 'night'), undefined);
});

conform('the kept aliases follow promotions and the rollout under way', async (db) => {
  await withVersions(db, 'v0.1.0', 'v0.2.0', 'v0.3.0');
  const all = async () => {
    const names = ['stable', 'champion', 'previous', 'candidate', 'challenger'];
    return Promise.all(names.map((name) => named(db, name)));
  };
  assert.deepEqual(await all(), [undefined, undefined, undefined, undefined, undefined]);
  await promote(db, 'v0.1.0', 'v0.2.0');
  await deploy(db, 'd-1', 'v0.3.0');
  assert.deepEqual(await all(), ['v0.2.0', 'v0.2.0', 'v0.1.0', undefined, undefined], 'not through its gate');
  await write(db, (tx) => moveDeployment(tx, 'd-1', { state: 'rolling', reason: '', at: AT }));
  await point(db, 'night', 'v0.1.0');
  assert.deepEqual(await all(), ['v0.2.0', 'v0.2.0', 'v0.1.0', 'v0.3.0', 'v0.3.0']);
  assert.deepEqual(
    (await aliases.listAliases(db, 'nlu')).map(({ alias, version, kept }) => [alias, version, kept]),
    [
      ['stable', 'v0.2.0', true],
      ['previous', 'v0.1.0', true],
      ['candidate', 'v0.3.0', true],
      ['night', 'v0.1.0', false],
    ],
  );
});

conform('the deployments of a version are listed newest first', async (db) => {
  await withVersions(db, 'v0.1.0', 'v0.2.0');
  await deploy(db, 'd-1', 'v0.1.0');
  await deploy(db, 'd-2', 'v0.1.0', LATER);
  await deploy(db, 'd-3', 'v0.2.0');
  const of = { modelType: 'nlu', version: 'v0.1.0' };
  assert.deepEqual(
    (await listDeploymentsOf(db, of, 10)).map((d) => d.deployment_id),
    ['d-2', 'd-1'],
  );
  assert.equal((await listDeploymentsOf(db, of, 1)).length, 1);
});
