// A sample of the memory proof: one training between requests, under the policy that does the most, and the control. The
// whole of it: npm run proof:memory.
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { tempFolder } from '@jarvis/testkit';
import { makeArena } from './arena.ts';
import { runControl } from './control.ts';
import { runPolicy } from './run-policy.ts';
import { runEndless, runHalf } from './short-estimate.ts';

const LIMIT_MS = 400_000;

/** Why there can be no arena here; null where there can. */
async function obstacle(): Promise<string | null> {
  try {
    await (await makeArena(1024 ** 3)).remove();
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

const reason = await obstacle();
const options = { timeout: LIMIT_MS, skip: reason ?? false };

test('without negotiation the kernel kills', options, async (t: TestContext) => {
  const control = await runControl(await tempFolder(t), (line) => t.diagnostic(line));
  assert.ok(control.kills > 0, control.what);
});

test(
  'with it nobody is killed, a request stops the training, and both get what they asked for',
  options,
  async (t) => {
    const report = await runPolicy({
      folder: await tempFolder(t),
      policy: 'serving_first',
      trainings: 1,
      say: (line) => t.diagnostic(line),
    });
    assert.deepEqual(report.problems, []);
    assert.equal(report.account.sentAway, 0);
  },
);

test(
  'a training that takes twice what was said ends once, and completes from its checkpoint',
  options,
  async (t) => {
    const half = await runHalf(await tempFolder(t));
    t.diagnostic(`asked for ${half.askedFor.join(', ')} bytes; ${half.answered} requests answered meanwhile`);
    assert.deepEqual(half.problems, []);
  },
);

test(
  'one that takes more than there is holds back its model type after three ends, in words',
  options,
  async (t) => {
    const endless = await runEndless(await tempFolder(t));
    t.diagnostic(endless.job?.reason ?? 'no job');
    assert.deepEqual(endless.problems, []);
  },
);
