// What is not imported, and what is refused before anything is sent.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fixture } from '../fixture.ts';
import { startCore } from '../core.ts';
import { statsOf } from './stored.ts';

test('what is not imported is listed and told by the exit code; what is refused sends nothing', async (t) => {
  const f = await fixture(t);
  const core = await startCore(t, f);
  await writeFile(
    join(f.folder, 'a.jsonl'),
    '{"text":"a","label":"b"}\nnope\u001B[2J\n{"text":"c","label":"d"}\n',
  );
  await writeFile(join(f.folder, 'b.txt'), 'hello');
  const ended = await f.run(['experiences', 'import', 'a.jsonl']);
  assert.equal(ended.code, 65);
  assert.match(ended.stderr, /^a\.jsonl:2: not imported: it is not JSON/);
  assert.ok(!ended.stderr.includes('\u001B'), 'nothing that a terminal would obey');
  assert.match(
    ended.stdout,
    /2 experiences stored, 0 there already, 1 not imported\.\n {2}1 time: it is not JSON\n$/,
  );

  const refusals: readonly (readonly [readonly string[], RegExp])[] = [
    [['a.jsonl', 'b.txt'], /What form b\.txt has cannot be told.*--format/],
    [['a.jsonl', 'none.csv'], /none\.csv cannot be read: ENOENT/],
    [['a.jsonl', '--model-type', 'llm'], /takes no experiences for llm/],
  ];
  for (const [args, told] of refusals) {
    const refused = await f.run(['experiences', 'import', ...args]);
    assert.deepEqual([refused.code, refused.stdout], [1, '']);
    assert.match(refused.stderr, told);
    assert.doesNotMatch(refused.stderr, /\n\s+at /, 'no trace');
  }
  assert.equal((await statsOf(core)).total, 2);
});
