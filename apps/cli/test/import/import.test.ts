// `jarvis experiences import` beside a real JARVIS Core: each form, twice.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fixture } from '../fixture.ts';
import { startCore } from '../core.ts';
import { endOf, statsOf } from './stored.ts';

const FILES: Readonly<Record<string, string>> = {
  'nlu.yml': 'version: "3.1"\nnlu:\n- intent: greet\n  examples: |\n    - hey\n    - hello [Anna](name)\n',
  'lights.yaml':
    'language: en\nintents: {TurnOn: {data: [{sentences: ["turn on [the] (light|lamp)[s]"]}]}}\n',
  'chat.jsonl':
    '{"messages":[{"role":"user","content":"light up"},{"role":"assistant","content":"lights_on"}]}\n',
  'table.csv': 'text,label\nwhat time is it,time\nhow late is it,time\n',
  'own.jsonl':
    '{"type":"interaction","input":{"a":"x","b":"y"},"expected_output":{"score":1}}\n{"text":"stop","label":"stop"}\n',
};

test('each form goes in once, however often it is imported', async (t) => {
  const f = await fixture(t);
  const core = await startCore(t, f);
  for (const [name, content] of Object.entries(FILES)) await writeFile(join(f.folder, name), content);
  const names = Object.keys(FILES);

  const dry = await f.run(['experiences', 'import', ...names, '--dry-run']);
  assert.deepEqual([dry.code, dry.stderr], [0, '']);
  assert.match(dry.stdout, /nlu\.yml: rasa-nlu\n.*"text":"hey".*"intent":"greet"/);
  assert.match(dry.stdout, /15 experiences would be sent, nothing left out\. Nothing was sent\.\n$/);
  assert.equal((await statsOf(core)).total, 0);

  const once = await f.run(['experiences', 'import', ...names, '--json']);
  assert.equal(once.code, 0, once.stderr);
  assert.deepEqual(endOf(once), {
    event: 'end',
    dry_run: false,
    mapped: 15,
    stored: 15,
    repeated: 0,
    not_mapped: 0,
    by_code: {},
  });
  const stats = await statsOf(core);
  assert.deepEqual(
    [stats.total, stats.by_kind['nlu']?.trainable, stats.by_kind['embedding']?.total],
    [15, 14, 1],
  );

  // In another order.
  const again = await f.run(['experiences', 'import', ...names.toReversed()]);
  assert.equal(again.code, 0, again.stderr);
  assert.match(again.stdout, /0 experiences stored, 15 there already, nothing left out\.\n$/);
  assert.equal((await statsOf(core)).total, 15);
});
