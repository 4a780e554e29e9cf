// `jarvis rollouts` as a real program beside a real rollout: list, show its report, pause, resume and abort it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jarvis } from './jarvis.ts';
import { errors, GOOD, roll, rollToSecondStep, rolloutWorld } from './rollout-world.ts';

test('a rollout is listed, told of, paused, resumed, and its report says why it ended', async (t) => {
  const { reactor, clock, home } = await rolloutWorld(t);
  const rollouts = (...args: string[]): Promise<string> =>
    jarvis({ folder: home, url: reactor.url }, 'rollouts', ...args);
  const id = await roll(reactor, GOOD);
  assert.match(await rollouts('list'), new RegExp(`^${id} +nlu +v0\\.1\\.1 +gradual_rollout +rolling +10 %`));
  assert.match(await rollouts('pause'), /^nlu v0\.1\.1: paused, paused by hand$/m);
  assert.match(await rollouts('resume', id), /^nlu v0\.1\.1: rolling/m);
  await rollToSecondStep({ reactor, clock }, id);
  await reactor.evidence(errors(id, 8, { kind: 'corrected' }));
  const { reason } = await reactor.deploymentIn(id, 'rolled_back');
  const report = await rollouts('show');
  assert.match(report, /^# nlu v0\.1\.1 beside v0\.1\.0: rolled back$/m);
  assert.ok(report.includes(reason));
  assert.match(report, /^Before any traffic, on 16 held-out rows: \d+ correct, champion \d+;/m);
  assert.match(report, /^\| 50 % \|/m);
  assert.match(report, /^\| the candidate errs more often \| [\d.]+ \| 50 \| broken \|$/m);
  assert.match(report, /^\| corrected \| candidate \| 8 of 10 \| [\d.]+ % to [\d.]+ % \|$/m);
  assert.match(report, /^Both answered 7 inputs, 2 of them differently\./m);
  assert.match(report, /^## Evidence over time$/m);
  assert.equal(JSON.parse(await rollouts('show', id, '--json')).deployment.state, 'rolled_back');
  await assert.rejects(rollouts('abort'), /already rolled_back|cannot|illegal/i);
});
