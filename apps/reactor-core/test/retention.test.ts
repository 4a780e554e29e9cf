// Retention on the real files: what goes, what stays, beside an intake, and after a crash between its steps.
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { invariantReportSchema, modelVersionsSchema } from '@jarvis/contracts';
import { setTrigger } from '@jarvis/failpoints';
import { canonicalJson, sha256Hex } from '@jarvis/model-kinds';
import { silentLogger, systemClock, systemRandom } from '@jarvis/runtime';
import type { Database, Step } from '@jarvis/store';
import { Blobs } from '../src/registry/blobs.ts';
import { readArtifact, storeArtifact } from '../src/registry/intake.ts';
import { lookAtRegistry } from '../src/registry/keeping.ts';
import { mintVersion } from '../src/registry/minting.ts';
import { setAlias } from '../src/store/aliases.ts';
import { listLoose } from '../src/store/retention.ts';
import * as versions from '../src/store/versions.ts';
import { AT, conform, write } from './store-conformance.ts';
import { CHAMPION, GOOD, OTHER_GOOD, rolloutWorld, WORSE } from './rollout-world.ts';
import { until } from './until.ts';

const SHARED = 'the same in all of them';

interface Registry extends AsyncDisposable {
  readonly blobs: Blobs;
  /** Takes a version in whose one file of its own says this. */
  readonly add: (text: string, named?: (mint: () => Promise<void>) => Promise<void>) => Promise<void>;
  readonly look: (kept: number) => Promise<void>;
  readonly files: () => Promise<number>;
  readonly left: () => Promise<string[]>;
}

async function registryOf(db: Database): Promise<Registry> {
  const folder = await mkdtemp(join(tmpdir(), 'registry-'));
  const blobs = new Blobs(folder, systemRandom);
  return {
    blobs,
    add: async (text, named = (mint) => mint()) => {
      const from = await mkdtemp(join(folder, 'artifact-'));
      await writeArtifact(from, text);
      const read = await readArtifact(from);
      assert.ok(read.ok);
      await blobs.using(async () => {
        assert.ok((await storeArtifact(from, read.artifact, { db, blobs })).ok);
        const minting = { modelType: 'nlu', jobId: null, parentVersion: null, at: AT } as const;
        await named(async () => {
          await write(db, (tx) => mintVersion(tx, { ...minting, artifact: read.artifact }));
        });
      });
    },
    look: (kept) => lookAtRegistry({ db, blobs, clock: systemClock, logger: silentLogger(), kept }),
    files: async () => (await readdir(join(folder, 'blobs')).catch(() => [])).length,
    left: async () => (await versions.listVersions(db, 'nlu')).map(({ version }) => version),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

async function writeArtifact(folder: string, text: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const file = (body: string) => ({ bytes: Buffer.byteLength(body), sha256: sha256Hex(body) });
  await writeFile(join(folder, 'own'), text);
  await writeFile(join(folder, 'shared'), SHARED);
  const hash = '0'.repeat(64);
  const lineage = {
    job_id: `job-${text.replaceAll(' ', '-')}`,
    dataset_sha256: hash,
    dataset_rows: 1,
    parent_version: null,
    code_sha256: hash,
    config: {},
    seed: 1,
  };
  const manifest = {
    format: 1,
    kind: 'nlu',
    labels: ['a'],
    encoding: {},
    metrics: {},
    files: { own: file(text), shared: file(SHARED) },
    lineage,
  };
  await writeFile(join(folder, 'model.json'), canonicalJson(manifest));
}

async function seeded(db: Database, count: number): Promise<Registry> {
  const registry = await registryOf(db);
  for (let i = 1; i <= count; i++) await registry.add(`version ${i}`);
  return registry;
}

conform('the oldest go with their files; what is served, before it, or aliased stays', async (db) => {
  await using registry = await seeded(db, 8);
  assert.equal(await registry.files(), 17, 'two of each, and what they share');
  for (const version of ['v0.1.0', 'v0.1.1', 'v0.1.2'])
    await write(db, (tx) => versions.insertPromotion(tx, { modelType: 'nlu', version, at: AT }));
  await write(db, (tx) => setAlias(tx, { modelType: 'nlu', alias: 'old', version: 'v0.1.3', at: AT }));
  await registry.look(2);
  assert.deepEqual(await registry.left(), ['v0.1.7', 'v0.1.6', 'v0.1.3', 'v0.1.2', 'v0.1.1']);
  assert.equal(await registry.files(), 11);
  assert.deepEqual(await listLoose(db, 100), []);
  const retired = await versions.findEverVersion(db, 'nlu', 'v0.1.0');
  assert.ok(retired !== undefined && retired.retired_at !== null, 'its row tells where it came from');
  assert.equal(await versions.findVersion(db, 'nlu', 'v0.1.0'), undefined);
  await registry.add('another');
  assert.equal((await registry.left())[0], 'v0.1.8', 'no number is given twice');
});

conform('files that are there already are not taken away from who is about to name them', async (db) => {
  await using registry = await seeded(db, 3);
  await registry.add('version 1 again', async (mint) => {
    await registry.look(1);
    await mint();
  });
  assert.equal(await registry.files(), 9, 'nothing went meanwhile');
  await registry.look(1);
  assert.deepEqual(await registry.left(), ['v0.1.3']);
  assert.equal(await registry.files(), 3);
  // The same content as one that was retired: its files come back with it.
  await registry.add('version 1');
  assert.deepEqual(await registry.left(), ['v0.1.4', 'v0.1.3']);
  assert.equal(await registry.files(), 5);
});

conform('what was taken in and never named goes', async (db) => {
  await using registry = await seeded(db, 1);
  await registry.add('never named', async () => {});
  await writeFile(`${registry.blobs.path(sha256Hex('never named'))}.copy-1.partial`, 'half');
  assert.equal(await registry.files(), 6);
  await registry.look(1);
  assert.equal(await registry.files(), 3);
});

conform('a file that this database had no hand in is left alone', async (db) => {
  await using registry = await seeded(db, 1);
  await writeFile(registry.blobs.path('f'.repeat(64)), 'of another home');
  await registry.look(1);
  assert.equal(await registry.files(), 4);
});

conform('a version that cannot be read stops the collection: nothing goes', async (db) => {
  await using registry = await seeded(db, 1);
  await registry.add('never named', async () => {});
  const broken = { model_type: 'voice', version: 'v0.1.0', digest: 'd', manifest: '{}' } as const;
  await write(db, (tx) =>
    versions.insertVersion(tx, { ...broken, job_id: null, parent_version: null, created_at: AT }),
  );
  await assert.rejects(registry.look(1));
  assert.equal(await registry.files(), 5);
});

class Died extends Error {}

const PLACES: readonly [Step, 'before' | 'after'][] = [
  ['reactor.version.retire', 'before'],
  ['reactor.version.retire', 'after'],
  ['reactor.blob.remove', 'before'],
  ['reactor.blob.remove', 'after'],
  ['reactor.blob.forget', 'before'],
  ['reactor.blob.forget', 'after'],
];

for (const [step, moment] of PLACES)
  conform(`cut short ${moment} ${step}, the next look finishes`, async (db) => {
    await using registry = await seeded(db, 4);
    let reached = 0;
    setTrigger({
      passed: (at, when) => {
        if (at !== step || when !== moment) return;
        reached += 1;
        throw new Died();
      },
      losesReply: () => false,
    });
    try {
      await registry.look(2).catch((error: unknown) => assert.ok(error instanceof Died));
    } finally {
      setTrigger(null);
    }
    assert.equal(reached, 1);
    const kept = new Set((await registry.left()).slice(0, 2));
    assert.deepEqual([...kept], ['v0.1.3', 'v0.1.2']);
    await registry.look(2);
    assert.deepEqual(await registry.left(), ['v0.1.3', 'v0.1.2']);
    assert.equal(await registry.files(), 5);
    assert.deepEqual(await listLoose(db, 100), []);
  });

test('Reactor Core retires by its setting, and all that is left is whole', async (t) => {
  const world = await rolloutWorld(t);
  await world.reactor.must('PUT', '/api/models/nlu/aliases/night', { version: OTHER_GOOD });
  await world.reactor.stop();
  const reactor = await world.start({ clock: world.clock, env: { MODEL_VERSIONS_KEPT: '1' } });
  let left: string[] = [];
  await until(
    () => `the versions that nobody needs to be gone: ${left.join(', ')}`,
    async () => {
      const { versions } = modelVersionsSchema.parse(await reactor.must('GET', '/api/models/nlu/versions'));
      left = versions.map(({ version }) => version);
      return left.length < 4;
    },
  );
  assert.deepEqual(left, [WORSE, OTHER_GOOD, CHAMPION]);
  await reactor.problem('not_found', ['GET', `/api/models/nlu/versions/${GOOD}`]);
  const body = { model_type: 'nlu', model_version: GOOD };
  await reactor.problem('not_found', ['POST', '/api/models/deploy', body]);
  await reactor.must('GET', `/api/models/nlu/versions/${GOOD}/lineage`);
  const { broken } = invariantReportSchema.parse(await reactor.must('GET', '/api/invariants'));
  assert.deepEqual(broken, []);
});
