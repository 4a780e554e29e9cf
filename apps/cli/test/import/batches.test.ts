// Batches by content: all rows in order, within the limits, the same for the same rows, and few others after a change.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { type Batch, BATCH_CHARS_MAX, Batcher, BATCH_ROWS_MAX } from '../../src/import/batches.ts';
import { checked, type Mapped } from '../../src/import/found.ts';

function row(text: string): Mapped {
  const found = checked({ type: 'command', input: { text } }, { line: 1, at: null });
  assert.ok('experience' in found);
  return found;
}

function cut(texts: readonly string[]): Batch[] {
  const batcher = new Batcher();
  return [...texts.flatMap((text) => batcher.add(row(text))), ...batcher.end()];
}

const numbered = (count: number): string[] => Array.from({ length: count }, (_, i) => `say ${i}`);

test('every row is in one batch, in order, and the same rows make the same batches', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ minLength: 1 }), { maxLength: 300 }), (texts) => {
      const batches = cut(texts);
      const sent = batches.flatMap(({ experiences }) =>
        experiences.map((e) => (e.input as { text: string }).text),
      );
      assert.deepEqual(sent, texts);
      assert.ok(batches.every(({ experiences }) => experiences.length > 0));
      assert.deepEqual(
        cut(texts).map(({ id }) => id),
        batches.map(({ id }) => id),
      );
    }),
    { numRuns: 30 },
  );
});

test('a row put in front changes one batch or two, not all', () => {
  const texts = numbered(10_000);
  const before = new Set(cut(texts).map(({ id }) => id));
  const after = cut(['say something new', ...texts]).filter(({ id }) => !before.has(id));
  assert.ok(before.size > 8, `${before.size} batches`);
  assert.ok(after.length <= 2, `${after.length} of ${before.size} are new`);
});

test('equal rows without end are cut all the same, and large rows by their size', () => {
  const equal = cut(Array.from({ length: 5_000 }, () => 'again'));
  assert.ok(equal.every(({ experiences }) => experiences.length <= BATCH_ROWS_MAX));
  const large = cut(Array.from({ length: 1_500 }, (_, i) => `${i}${'x'.repeat(4_000)}`));
  for (const { experiences } of large)
    assert.ok(JSON.stringify(experiences).length <= BATCH_CHARS_MAX * 1.01);
});
