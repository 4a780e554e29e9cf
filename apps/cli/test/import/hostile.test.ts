// Files that are broken, or made to harm: a clear reason, what came before it counts, and it ends.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatOf } from '../../src/import/formats.ts';
import { LINE_CHARS_MAX } from '../../src/import/text.ts';
import { ALIASES_MAX, YAML_BYTES_MAX } from '../../src/import/yaml-file.ts';
import { tempFolder } from '@jarvis/testkit';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { read } from './reading.ts';

const GOOD = '{"text":"a","label":"b"}\n';

test('a line that is too long to be held, a NUL, another encoding, a cut character', async (t) => {
  const cases: readonly (readonly [Buffer, string])[] = [
    [Buffer.from(`${GOOD}{"text":"${'x'.repeat(LINE_CHARS_MAX + 70_000)}`), '2 line_too_long'],
    [Buffer.from(`${GOOD}{"te\0xt":1}\n${GOOD}`), '2 has_nul'],
    [Buffer.from(`${GOOD}{"text":"größe","label":"b"}\n`, 'latin1'), '2 not_utf8'],
    [Buffer.concat([Buffer.from(GOOD), Buffer.from([0xe2, 0x82])]), '2 not_utf8'],
  ];
  for (const [content, told] of cases) {
    const { sentences, notMapped } = await read(t, 'jsonl', content);
    assert.deepEqual([sentences, notMapped], [['a -> b'], [told]]);
  }
});

test('characters of several bytes stay whole wherever the file is cut into pieces', async (t) => {
  for (let shift = 0; shift < 4; shift += 1) {
    const text = `${'x'.repeat(shift)}${'😀é€'.repeat(200)}`;
    const lines = `${JSON.stringify({ text, label: 'b' })}\n`.repeat(60);
    const { sentences, notMapped } = await read(t, 'jsonl', lines);
    assert.deepEqual([new Set(sentences), notMapped], [new Set([`${text} -> b`]), []]);
    assert.equal(sentences.length, 60);
  }
});

test('JSON that is nested too deeply to be sent', async (t) => {
  const deep = `${'['.repeat(50_000)}${']'.repeat(50_000)}`;
  const line = `{"type":"command","input":{"text":"a"},"metadata":{"deep":${deep}}}\n`;
  const { sentences, notMapped } = await read(t, 'jsonl', line + GOOD);
  assert.deepEqual([sentences, notMapped], [['a -> b'], ['1 too_large']]);
});

test('YAML: aliases that multiply, depth, size, keys that are there twice, no YAML at all', async (t) => {
  const layers = Array.from({ length: 9 }, (_, i) =>
    `l${i}: &l${i} [${`*l${i - 1},`.repeat(9)}]\n`.replaceAll('*l-1', 'x'),
  );
  const cases: readonly string[] = [
    `nlu: []\n${layers.join('')}`,
    `nlu: &a [${'*b,'.repeat(ALIASES_MAX)}]\n`,
    `nlu: ${'['.repeat(100_000)}`,
    'nlu: []\nnlu: []\n',
    'nlu: [}\n',
  ];
  for (const content of cases) {
    const { found } = await read(t, 'rasa-nlu', content);
    assert.deepEqual(
      found.map((one) => 'code' in one && one.code),
      ['not_yaml'],
      content.slice(0, 40),
    );
  }
  const { notMapped } = await read(t, 'rasa-nlu', `nlu: []\n#${'x'.repeat(YAML_BYTES_MAX)}`);
  assert.deepEqual(notMapped, ['null file_too_large']);
});

test('YAML: thousands of keys are told one by one', async (t) => {
  const keys = Array.from({ length: 20_000 }, (_, i) => `k${i}: v\n`).join('');
  assert.equal((await read(t, 'rasa-nlu', keys)).notMapped.at(-1), '20000 part_not_learned');
});

test('rules that multiply: forms are counted, not made', async (t) => {
  const rules = Array.from(
    { length: 30 },
    (_, i) =>
      `  a${i + 1}: "<a${i}> <a${i}>"\n  e${i + 1}: "<e${i}><e${i}>"\n  d${i + 1}: "(<d${i}>|<d${i}>)"\n`,
  );
  const file = `language: en
lists: {big: {range: {from: 0, to: 9007199254740990}}}
expansion_rules:
  a0: "(x|y)"
  e0: ""
  d0: "(x|y)"
${rules.join('')}intents: {I: {data: [{sentences: ["<a30>", "<e30>", "<d20>", "{big}"]}]}}
`;
  const { sentences, notMapped } = await read(t, 'home-assistant', file, { formsMax: 10 });
  assert.deepEqual(
    new Set(notMapped.map((told) => told.split(' ')[1])),
    new Set(['too_large', 'more_forms']),
  );
  assert.deepEqual(new Set(sentences.slice(0, 2)), new Set(['x -> I', 'y -> I']));
  assert.equal(sentences.length, 12);
});

test('a compressed file and UTF-16 are refused before anything is read, with what to do', async (t) => {
  const folder = await tempFolder(t);
  const path = join(folder, 'a.jsonl');
  for (const [bytes, told] of [
    [Buffer.from([0x1f, 0x8b, 8]), /gunzip/],
    [Buffer.from('\uFEFFtext', 'utf16le'), /UTF-16.*iconv/],
  ] as const) {
    await writeFile(path, bytes);
    await assert.rejects(formatOf({ name: 'a.jsonl', path, bytes: bytes.length }, 'jsonl'), told);
  }
});
