// `jarvis models` as a real program beside a real registry: list, show, export and import.
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { importedSchema } from '@jarvis/contracts';
import { sha256Hex } from '@jarvis/model-kinds';
import { makeWorld } from './harness.ts';
import { jarvis } from './jarvis.ts';
import { CHAMPION, rolloutWorld } from './rollout-world.ts';

test('a version is listed, shown, exported as tar and folder, and imported elsewhere', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'jarvis-models-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const { reactor: here } = await rolloutWorld(t);
  const there = await (await makeWorld(t)).start();
  const models = (url: string, ...args: string[]): Promise<string> =>
    jarvis({ folder, url }, 'models', ...args);
  assert.match(await models(here.url, 'list'), /^nlu +v0\.1\.0 +[0-9a-f]{12} .*stable$/m);
  await models(here.url, 'export', 'nlu', 'stable', 'nlu.tar');
  await models(here.url, 'export', 'nlu', CHAMPION, 'model');
  assert.ok((await readdir(join(folder, 'model'))).includes('model.json'));
  await assert.rejects(models(here.url, 'export', 'nlu', 'stable', 'model'), /there already/);
  const imported = importedSchema.parse(
    JSON.parse(await models(there.url, 'import', 'nlu', 'model', '--json')),
  );
  assert.equal(imported.digest, sha256Hex(await readFile(join(folder, 'model', 'model.json'))));
  assert.match(await models(there.url, 'import', 'nlu', 'nlu.tar'), /was there already, as nlu v0\.1\.0/);
  assert.match(await models(there.url, 'show', 'nlu', 'v0.1.0'), /from +an import \(job-0\)/);
});
