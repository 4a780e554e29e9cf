// What the demo's days are made of, whatever the shares: nothing lost, nothing made up, the same from the same seed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Experience, MAX_EXPERIENCES_PER_BATCH, OUT_OF_SCOPE_INTENT } from '@jarvis/contracts';
import * as fc from 'fast-check';
import type { Utterance } from '../src/demo/data-set.ts';
import { drawPoison, importBatches, planDays, sessionsOf } from '../src/demo/days.ts';
import { seeded } from '../src/demo/seeded.ts';

/** As large as the smallest set that is taken; no text twice. */
const pools = fc
  .record({ size: fc.integer({ min: 200, max: 1500 }), intents: fc.integer({ min: 4, max: 30 }) })
  .map(({ size, intents }): Utterance[] =>
    Array.from({ length: size }, (_, i) => ({
      text: `command ${i}`,
      label: i % (intents + 1) === intents ? OUT_OF_SCOPE_INTENT : `intent-${i % (intents + 1)}`,
    })),
  );
const seeds = fc.nat();
const textOf = ({ input }: Experience) => ('text' in input ? input.text : null);
const intentOf = ({ expected_output: out }: Experience) =>
  out !== undefined && out !== null && 'intent' in out ? out.intent : null;
const textsOf = (rows: readonly Utterance[]): string[] => rows.map((row) => row.text);

test('both days bring what reaches the threshold with the last command and not before', () => {
  fc.assert(
    fc.property(pools, seeds, (pool, seed) => {
      const { first, second, threshold } = planDays(pool, seeded(seed));
      assert.ok(threshold > 0);
      assert.equal(first.length, threshold);
      assert.equal(second.length, threshold);
      const known = new Set(textsOf(pool));
      for (const { text } of [...first, ...second]) assert.ok(known.has(text), 'only what is in the pool');
    }),
  );
});

test('the second day is new, and the two days together bring the whole pool', () => {
  fc.assert(
    fc.property(pools, seeds, (pool, seed) => {
      const { first, second } = planDays(pool, seeded(seed));
      const before = new Set(textsOf(first));
      assert.equal(new Set(textsOf(second)).size, second.length);
      assert.ok(second.every((row) => !before.has(row.text)));
      assert.equal(new Set(textsOf([...first, ...second])).size, pool.length);
    }),
  );
});

test('the same seed makes the same days', () => {
  fc.assert(
    fc.property(pools, seeds, (pool, seed) => {
      assert.deepEqual(planDays(pool, seeded(seed)), planDays(pool, seeded(seed)));
    }),
    { numRuns: 20 },
  );
});

test('sessions are the commands in their order, none of them empty', () => {
  fc.assert(
    fc.property(pools, seeds, (pool, seed) => {
      const sessions = sessionsOf(pool, seeded(seed));
      assert.deepEqual(sessions.flat(), pool);
      assert.ok(sessions.every((session) => session.length > 0));
    }),
  );
});

test('poison: some intents, each with the label of another of them, and never the out-of-scope one', () => {
  fc.assert(
    fc.property(pools, seeds, (pool, seed) => {
      const poison = drawPoison(pool, seeded(seed));
      const labels = new Set(pool.map((row) => row.label));
      assert.ok(poison.size >= 2 && poison.size < labels.size);
      assert.deepEqual([...poison.keys()].sort(), [...poison.values()].sort(), 'each is carried once');
      for (const [label, other] of poison) {
        assert.notEqual(label, other);
        assert.ok(labels.has(label) && label !== OUT_OF_SCOPE_INTENT);
      }
    }),
  );
});

test('the import is the whole pool once, relabelled, in batches; all but the last stay below the threshold', () => {
  fc.assert(
    fc.property(pools, seeds, fc.double({ min: 0.1, max: 0.9, noNaN: true }), (pool, seed, share) => {
      const threshold = Math.max(2, Math.round(pool.length * share));
      const labels = drawPoison(pool, seeded(seed));
      const batches = importBatches(pool, labels, { threshold, random: seeded(seed) });
      assert.ok(batches.every((b) => b.length > 0 && b.length <= MAX_EXPERIENCES_PER_BATCH));
      const sent = new Map(batches.flat().map((e) => [textOf(e), intentOf(e)]));
      assert.equal(batches.flat().length, pool.length);
      for (const { text, label } of pool) assert.equal(sent.get(text), labels.get(label) ?? label);
    }),
  );
});
