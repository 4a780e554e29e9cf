// A small fixed corpus of seeds, those that once failed among them; and that a seed is a seed: it replays exactly.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { RARE } from '../src/checks/rare-edges.ts';
import { simulate } from '../src/simulate.ts';
import { Summary } from '../src/summary.ts';

interface Kept {
  readonly seed: number;
  readonly hours: number;
  readonly why: string;
}

const read = (name: string): readonly Kept[] =>
  JSON.parse(readFileSync(join(import.meta.dirname, '../seeds', name), 'utf8')) as readonly Kept[];

test('the same seed gives the same history, another seed another', async () => {
  const [first, again, other] = [
    await simulate({ seed: 5, hours: 0.2 }),
    await simulate({ seed: 5, hours: 0.2 }),
    await simulate({ seed: 6, hours: 0.2 }),
  ];
  assert.equal(first.hash, again.hash);
  assert.notEqual(first.hash, other.hash);
});

for (const { seed, hours, why } of read('failed.json'))
  test(`seed ${seed}, which once failed: ${why}`, async () => {
    assert.equal((await simulate({ seed, hours })).violation, null);
  });

test('the corpus breaks nothing and takes every edge that the present code has', async () => {
  const summary = new Summary();
  for (const { seed, hours } of read('corpus.json')) {
    const outcome = await simulate({ seed, hours });
    assert.equal(outcome.violation, null, `seed ${seed}: ${outcome.violation?.what}`);
    summary.add(outcome);
  }
  assert.deepEqual(
    summary.missing.filter((edge) => !RARE.includes(edge)),
    [],
  );
});
