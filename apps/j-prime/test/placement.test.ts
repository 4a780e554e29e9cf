// Where a model runs, by what it costs: measured on the loop, and again in a thread before it moves there.
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { modelManifestSchema, type WorkerThreadMode } from '@jarvis/contracts';
import { type Clock, silentLogger, systemClock } from '@jarvis/runtime';
import { Placement, type PlacedModel } from '../src/models/placement.ts';
import { type FixtureModel, fixtureModel } from './fixture-models.ts';

const script = new URL('./children/model-thread.ts', import.meta.url);
const folder = await mkdtemp(join(tmpdir(), 'placement-'));
after(() => rm(folder, { recursive: true, force: true }));

/** Every look at it finds the time so much later: as a busy loop does. */
function hastyClock(stepMs: number): Clock {
  let nowMs = 0;
  return { ...systemClock, monotonic: () => (nowMs += stepMs) };
}

async function artifactOf(model: FixtureModel): Promise<string> {
  const dir = join(folder, model.digest);
  const manifestBytes = model.blobs.get(model.digest) ?? Buffer.alloc(0);
  const manifest = modelManifestSchema.parse(JSON.parse(manifestBytes.toString('utf8')));
  await mkdir(dir, { recursive: true });
  await writeFile(join(dir, 'model.json'), manifestBytes);
  for (const [name, file] of Object.entries(manifest.files))
    await writeFile(join(dir, name), model.blobs.get(file.sha256) ?? '');
  return dir;
}

async function placed(mode: WorkerThreadMode, intent: string, stepMs: number): Promise<PlacedModel> {
  const model = fixtureModel({ version: 'v0.1.0', intent });
  const dir = await artifactOf(model);
  const placement = new Placement({ mode, clock: hastyClock(stepMs), logger: silentLogger(), script });
  return placement.settle(await placement.open(dir, model.digest), dir);
}

test('a model that is cheap on the loop stays there', async () => {
  const { place, costMs, model } = await placed('auto', 'one', 0.25);
  assert.deepEqual([place, costMs], ['loop', 0.25]);
  assert.equal((await model.predict([{ text: 'hello' }]))[0]?.output['intent'], 'one');
  await model.dispose();
});

test('a model that is costly on the loop and in a thread moves to the thread', async () => {
  const { place, costMs, model, thread } = await placed('auto', 'slow', 50);
  assert.equal(place, 'thread');
  assert.equal(model, thread);
  assert.ok(costMs >= 19, `the thread has a clock of its own: ${costMs}`);
  assert.equal((await model.predict([{ text: 'hello' }]))[0]?.output['intent'], 'slow');
  await model.dispose();
});

test('told to stay, a costly model stays; told to go, a cheap one goes', async () => {
  const stays = await placed('never', 'slow', 50);
  assert.equal(stays.place, 'loop');
  await stays.model.dispose();
  const goes = await placed('always', 'one', 0);
  assert.equal(goes.place, 'thread');
  await goes.model.dispose();
});

test('what cannot be opened is refused alike on the loop and in a thread', async () => {
  const garbage = fixtureModel({ version: 'v0.2.0', intent: 'two', graphIsGarbage: true });
  const dir = await artifactOf(garbage);
  for (const mode of ['never', 'always'] as const) {
    const placement = new Placement({ mode, clock: systemClock, logger: silentLogger() });
    await assert.rejects(placement.open(dir, garbage.digest), { code: 'artifact_unreadable' });
    await assert.rejects(placement.open(dir, '0'.repeat(64)), { code: 'artifact_corrupt' });
  }
});
