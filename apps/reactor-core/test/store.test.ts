// What invariants and metrics read, on both engines of the store.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkReactorInvariants } from '@jarvis/policy';
import { sql } from '@jarvis/store';
import { storeEngines } from '@jarvis/testkit';
import { readStoredFacts } from '../src/store/invariants.ts';
import { countDeployments, countRuns, readBadLines } from '../src/store/metrics.ts';
import { MIGRATIONS } from '../src/store/migrations.ts';

const AT = '2026-11-24T12:00:00.000Z';

for (const engine of await storeEngines())
  test(
    `${engine.name}: the facts are numbers and names, and what is broken is found`,
    { skip: engine.skip },
    async (t) => {
      const db = await engine.open(t, MIGRATIONS);
      await db.transaction('test.seed', async (tx) => {
        await tx.run(sql`
        INSERT INTO jobs (job_id, model_type, body_sha256, owner, epochs, config, checkpoint_enabled, checkpoint_interval,
          auto_deploy, seed, dataset_sha256, dataset_rows, estimated_seconds, outcome, model_version, created_at)
        VALUES ('job-1', 'nlu', '', 'self', 1, '{}', 1, 1, 1, 1, '', 1, 1, 'completed', 'v0.1.0', ${AT})`);
        await tx.run(sql`
        INSERT INTO runs (job_id, attempt, state, token, trainer_token, slot, last_attempt, borrowed, bad_lines, created_at)
        VALUES ('job-1', 1, 'running', 5, 5, 0, 0, 0, 3, ${AT})`);
        await tx.run(sql`INSERT INTO slots (slot, token) VALUES (0, 6)`);
        await tx.run(
          sql`INSERT INTO events (stream, seq, type, data, at) VALUES ('run/job-1', 1, 'completed', '{}', ${AT})`,
        );
        await tx.run(sql`
        INSERT INTO versions (model_type, version, major, minor, patch, digest, manifest, job_id, created_at)
        VALUES ('nlu', 'v0.1.0', 0, 1, 0, 'd', '{}', 'job-1', ${AT})`);
        await tx.run(
          sql`INSERT INTO promotions (id, model_type, version, promoted_at) VALUES (1, 'nlu', 'v0.1.0', ${AT})`,
        );
        await tx.run(sql`
        INSERT INTO deployments (deployment_id, model_type, model_version, strategy, state, reason, plan, salt, step_index,
          step_started_ms, history, judge, created_at)
        VALUES ('d-1', 'nlu', 'v0.1.0', 'immediate', 'promoted', '', '{"steps":[100]}', '', 0, 0, '[]', '{}', ${AT})`);
      });
      assert.deepEqual(await countRuns(db), [{ kind: 'nlu', state: 'running', runs: 1 }]);
      assert.deepEqual(await readBadLines(db), [{ kind: 'nlu', lines: 3 }]);
      assert.deepEqual(await countDeployments(db), [{ kind: 'nlu', state: 'promoted', deployments: 1 }]);
      const { versionFiles, ...facts } = await db.transaction('test.read', readStoredFacts);
      assert.deepEqual(versionFiles, [
        { whose: 'model.json of nlu v0.1.0', bytes: 2, sha256: 'd', matters: true },
      ]);
      const { broken } = checkReactorInvariants({ ...facts, slotsAllowed: 1, files: [], notes: [] });
      assert.deepEqual(
        broken.map(({ message }) => message),
        [
          'the live run of job-1 has token 5 of slot 0, whose highest is 6',
          'd-1 is promoted and has no time of its end',
        ],
      );
    },
  );
