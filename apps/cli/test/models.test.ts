// `jarvis models import` says what it cannot send, before it asks Reactor Core. What it does with a registry is tested there.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fixture } from './fixture.ts';

test('what cannot be sent is refused with what to do', async (t) => {
  const f = await fixture(t);
  await writeFile(join(f.folder, 'model.json'), '{}');
  for (const [source, message] of [
    ['absent', /absent is not there/],
    ['.', /model\.json is no model manifest: format/],
    ['model.json', /does not answer/],
  ] as const) {
    const { code, stderr } = await f.run(['models', 'import', 'nlu', source]);
    assert.notEqual(code, 0);
    assert.match(stderr, message);
  }
});
