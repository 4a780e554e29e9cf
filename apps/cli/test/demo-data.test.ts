// `demo --data`: what a set has to be, told with file and line before anything is started; and what is made of a good one.
import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { tempFolder } from '@jarvis/testkit';
import { loadDemoData } from '../src/demo/data-set.ts';
import { seeded } from '../src/demo/seeded.ts';
import { fixture } from './fixture.ts';

const ROW = { text: 'turn the lights on', label: 'lights_on', split: 'train' };
const lines = (...rows: unknown[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join('');

const BAD: readonly { readonly file: string; readonly text: string | null; readonly told: RegExp }[] = [
  { file: 'missing.jsonl', text: null, told: /cannot read the data set .*missing\.jsonl: ENOENT/ },
  { file: '.', text: null, told: /cannot read the data set \.: EISDIR/ },
  { file: 'plain.jsonl.gz', text: lines(ROW), told: /plain\.jsonl\.gz is no gzip file/ },
  {
    file: 'prose.jsonl',
    text: `${lines(ROW)}\nonce upon a time\n`,
    told: /prose\.jsonl:3 is not JSON; .*"split"/,
  },
  { file: 'array.jsonl', text: '[1]\n', told: /array\.jsonl:1 has to have "text" and "label"/ },
  { file: 'null.jsonl', text: 'null\n', told: /null\.jsonl:1 has to have "text" and "label"/ },
  { file: 'label.jsonl', text: lines(ROW, { ...ROW, label: 3 }), told: /label\.jsonl:2 has to have/ },
  { file: 'empty.jsonl', text: '', told: /empty\.jsonl is too small for three days: 0 rows .*it takes \d+/ },
  { file: 'small.jsonl', text: lines(ROW), told: /small\.jsonl is too small for three days: .*it takes \d+/ },
];

for (const { file, text, told } of BAD)
  test(`a set that cannot be used is told, and nothing is started: ${file}`, async (t) => {
    const f = await fixture(t);
    if (text !== null) await writeFile(join(f.folder, file), text);
    const before = await readdir(f.folder);
    const { code, stdout, stderr } = await f.run(['demo', '--json', '--data', file]);
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(stderr, told);
    assert.doesNotMatch(stderr, /\n\s+at /, 'no trace');
    assert.deepEqual(await readdir(f.folder), before, 'no home is left');
  });

test('a configuration that the demo cannot run with is told, and leaves no home', async (t) => {
  const f = await fixture(t);
  const { code, stderr } = await f.run(['demo', '--json'], {
    MAX_TOTAL_MEMORY_GB: 'much',
    HTTP_BODY_LIMIT_MB: '0',
  });
  assert.equal(code, 78);
  assert.match(stderr, /MAX_TOTAL_MEMORY_GB: [\s\S]*HTTP_BODY_LIMIT_MB: /);
  assert.deepEqual(await readdir(f.folder), []);
});

test('where no folder can be made, that is said', async (t) => {
  const f = await fixture(t);
  const { code, stderr } = await f.run(['demo', '--json'], { TMPDIR: join(f.folder, 'nowhere') });
  assert.equal(code, 1);
  assert.match(stderr, /no folder for the demo can be made in .*nowhere[\s\S]*Set TMPDIR/);
});

/** 20 intents of 30 commands, half of them to learn from. */
const GOOD = lines(
  ...Array.from({ length: 600 }, (_, i) => ({
    text: `command ${i}`,
    label: `intent-${i % 20}`,
    split: i % 40 < 20 ? 'train' : 'test',
  })),
);

test('seed, pool and test share no command, and the same seed draws the same', async (t) => {
  const path = join(await tempFolder(t), 'good.jsonl');
  await writeFile(path, GOOD + lines({ text: '  COMMAND   0 ', label: 'intent-0', split: 'train' }));
  const data = await loadDemoData(path, seeded(3));
  const texts = [...data.seed, ...data.pool, ...data.test].map((row) => row.text.trim().toLowerCase());
  assert.equal(new Set(texts).size, texts.length);
  assert.equal(data.seed.length + data.pool.length, 300, 'the same command in another spelling counts once');
  assert.equal(new Set(data.seed.map((row) => row.label)).size, 20, 'the seed knows every intent');
  assert.deepEqual(await loadDemoData(path, seeded(3)), data);
});

test('a gzipped set is the same set', async (t) => {
  const folder = await tempFolder(t);
  await writeFile(join(folder, 'good.jsonl'), GOOD);
  await writeFile(join(folder, 'good.jsonl.gz'), gzipSync(GOOD));
  const [plain, zipped] = await Promise.all(
    ['good.jsonl', 'good.jsonl.gz'].map((name) => loadDemoData(join(folder, name), seeded(3))),
  );
  assert.deepEqual(zipped, plain);
});

test('the shipped set holds', async () => {
  const data = await loadDemoData(null, seeded(1));
  const held = new Set(data.test.map((row) => row.text.toLowerCase()));
  for (const { text } of [...data.seed, ...data.pool]) assert.ok(!held.has(text.toLowerCase()), text);
});
