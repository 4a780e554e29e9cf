// A seeded sample of the crash proof: some of the named steps, then some kills at random, over the whole system.
// The whole of it: npm run proof:crashes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom, tempFolder } from '@jarvis/testkit';
import { everyFailpoint } from './faults.ts';
import { undergo } from './ordeal.ts';

const seed = Number(process.env['E2E_SEED'] ?? 1);
const STEPS_SAMPLED = 12;
const KILLS = 8;
const PLAN_LIMIT_MS = 90_000;
const LIMIT_MS = 600_000;

test(
  'killed at some steps and at random: nothing is lost, doubled, left or run twice',
  { timeout: LIMIT_MS },
  async (t) => {
    const random = seededRandom(seed);
    const failpoints = everyFailpoint()
      .map((entry) => ({ entry, at: random.unit() }))
      .sort((a, b) => a.at - b.at)
      .slice(0, STEPS_SAMPLED)
      .map(({ entry }) => entry);
    const ordeal = await undergo({
      folder: await tempFolder(t),
      seed,
      failpoints,
      kills: KILLS,
      planLimitMs: PLAN_LIMIT_MS,
      say: (line) => t.diagnostic(line),
    });
    t.diagnostic(`not reached: ${ordeal.pending.join(', ') || 'none'}`);
    assert.deepEqual(ordeal.broken, []);
    assert.ok(ordeal.fired > 0, 'no step of the plan was taken');
    assert.ok((ordeal.jobs['completed'] ?? 0) > 0, 'no job was completed');
    assert.ok(ordeal.looks > 100, 'the trainers were not looked at');
  },
);
