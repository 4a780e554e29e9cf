// What metrics read, on both engines of the store.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sql } from '@jarvis/store';
import { storeEngines } from '@jarvis/testkit';
import { readOutbox } from '../src/store/interactions.ts';
import { countJobsByState, countLeases, countSlots, oldestWaiting } from '../src/store/metrics.ts';
import { MIGRATIONS } from '../src/store/migrations.ts';

for (const engine of await storeEngines())
  test(`${engine.name}: counts are numbers, also of what is not there`, { skip: engine.skip }, async (t) => {
    const db = await engine.open(t, MIGRATIONS);
    assert.deepEqual(await readOutbox(db), { pending: 0, oldestMs: null, refused: 0 });
    assert.deepEqual(await oldestWaiting(db), []);
    await db.transaction('test.seed', async (tx) => {
      for (const [id, at] of [
        ['job-1', 2_000],
        ['job-2', 1_000],
      ] as const)
        await tx.run(sql`
          INSERT INTO jobs (job_id, model_type, priority, state, reason, source, epochs, config, auto_deploy, need_ram, need_vram, submitted_at)
          VALUES (${id}, 'nlu', 'high', 'queued', '', 'asked', 1, '{}', 1, 1, '{}', ${at})`);
      await tx.run(
        sql`INSERT INTO locks (name, state, token) VALUES ('training/0', 'free', 0), ('nightly', 'held', 1)`,
      );
      await tx.run(
        sql`INSERT INTO evidence_outbox (evidence_id, body, created_at) VALUES ('a', '{}', 7000), ('b', '{}', 5000)`,
      );
    });
    assert.deepEqual(await countJobsByState(db), [{ kind: 'nlu', state: 'queued', jobs: 2 }]);
    assert.deepEqual(await oldestWaiting(db), [{ kind: 'nlu', sinceMs: 1_000 }]);
    assert.deepEqual(await countSlots(db), [{ state: 'free', slots: 1 }]);
    assert.deepEqual(await countLeases(db), []);
    assert.deepEqual(await readOutbox(db), { pending: 2, oldestMs: 5_000, refused: 0 });
  });
