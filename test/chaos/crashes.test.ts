// A seeded sample of the crash proof, on each engine: some of the named steps, some hangs, some lost replies, then some
// kills at random, over the whole system. The whole of it: npm run proof:crashes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom, tempFolder } from '@jarvis/testkit';
import { ENGINES, onEngine } from './engines.ts';
import { draw, everyFailpoint, everyLostReply, isProvoked, someHangs } from './faults.ts';
import { undergo } from './ordeal.ts';

const seed = Number(process.env['E2E_SEED'] ?? 1);
const STEPS_SAMPLED = 10;
const HANGS = 1;
const REPLIES_LOST = 3;
const KILLS = 6;
const QUIET_LIMIT_MS = 60_000;
const LIMIT_MS = 600_000;

for (const [i, engine] of ENGINES.entries())
  test(
    `${engine}: killed at some steps and at random, nothing is lost, doubled, left or run twice`,
    { timeout: LIMIT_MS },
    async (t) => {
      // Another sample on each engine.
      const random = seededRandom(seed + i);
      const failpoints = [
        ...draw(everyFailpoint(), random, STEPS_SAMPLED),
        ...someHangs(random, HANGS),
        ...draw(everyLostReply(), random, REPLIES_LOST),
      ];
      const folder = await tempFolder(t);
      const ordeal = await onEngine(engine, (environment) =>
        undergo({
          folder,
          seed,
          failpoints,
          kills: KILLS,
          unusual: failpoints.some(isProvoked),
          quietLimitMs: QUIET_LIMIT_MS,
          environment,
          say: (line) => t.diagnostic(line),
        }),
      );
      t.diagnostic(`not reached: ${ordeal.pending.join(', ') || 'none'}`);
      assert.deepEqual(ordeal.broken, []);
      assert.ok(ordeal.fired > 0, 'nothing of the plan happened');
      assert.ok((ordeal.jobs['completed'] ?? 0) > 0, 'no job was completed');
      assert.ok(ordeal.looks > 100, 'the trainers were not looked at');
    },
  );
