// Candidates that are rolled back one after the other hold the training of their kind back, as failed jobs do.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { breakersSchema, type Breaker } from '@jarvis/contracts';
import { until } from '@jarvis/testkit';
import type { Client } from './client.ts';
import { makeWorld, startCore, type World } from './world.ts';

function rolledBack(world: World, inARow: number): void {
  const ended_at = `2026-11-24T12:00:0${inARow}.000Z`;
  const rolled_back = { in_a_row: inARow, reason: `reason ${inARow}`, ended_at };
  world.reactor.models = { nlu: { champion: 'v0.1.0', challenger: null, versions: 3, rolled_back } };
}

async function breakerOf(core: Client): Promise<Breaker | undefined> {
  return breakersSchema.parse(await core.ok('GET', '/api/breakers')).breakers[0];
}

test('three in a row hold it back; each counts once; by hand it goes on, and the next one holds it back for longer', async (t) => {
  const world = await makeWorld(t);
  rolledBack(world, 2);
  const core = await startCore(world);
  rolledBack(world, 3);
  await until('the breaker to open', async () => (await breakerOf(core))?.state === 'open');
  const opened = await breakerOf(core);
  assert.deepEqual([opened?.cause, opened?.failures, opened?.last_error], ['rollbacks', 3, 'reason 3']);
  const experience = {
    type: 'command',
    input: { text: 'hi' },
    expected_output: { intent: 'greet' },
    success: true,
  };
  await core.ok('POST', '/api/experiences', {
    experiences: [{ ...experience, actual_output: null, confidence: 1, metadata: {}, timestamp: 1 }],
  });
  const { job } = await core.ok<{ job: { job_id: string } }>('POST', '/api/jobs', { model_type: 'nlu' });
  const { reason } = await core.ok<{ reason: string }>('GET', `/api/jobs/${job.job_id}`);
  assert.match(reason, /^3 nlu candidates in a row were rolled back \(the last: reason 3\)/);
  await core.ok('POST', '/api/breakers/nlu/reset', {});
  const looks = world.reactor.modelsAsked;
  await until('it to be told the same again', () => world.reactor.modelsAsked > looks + 1);
  assert.equal(await breakerOf(core), undefined);
  rolledBack(world, 4);
  await until('it to open again', async () => (await breakerOf(core))?.state === 'open');
  const again = await breakerOf(core);
  const seconds = (Date.parse(again?.open_until ?? '') - Date.now()) / 1000;
  assert.ok(seconds > 901, `twice the cooldown of 900 s: ${seconds}`);
});
