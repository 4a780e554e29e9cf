import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SeededRandom, shuffle } from '@jarvis/trainer-kit';

const take = (random: SeededRandom, count: number) => Array.from({ length: count }, () => random.uint32());

test('xoshiro128**: the first words from the state 1, 2, 3, 4 are those of the reference program', () => {
  assert.deepEqual(
    take(new SeededRandom([1, 2, 3, 4]), 6),
    [11520, 0, 5927040, 70819200, 2031721883, 1637235492],
  );
});

test('a generator goes on from its state, and each seed and stream is its own', () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), fc.nat(100), (seed, stream) => {
      const random = SeededRandom.from(seed, stream);
      take(random, 7);
      const resumed = new SeededRandom(random.state);
      assert.deepEqual(take(resumed, 5), take(random, 5));
      assert.notDeepEqual(
        take(SeededRandom.from(seed, stream), 4),
        take(SeededRandom.from(seed, stream + 1), 4),
      );
      assert.notDeepEqual(
        take(SeededRandom.from(seed, stream), 4),
        take(SeededRandom.from(seed + 1, stream), 4),
      );
    }),
  );
});

test('below: every value in turn, none outside, none favoured', () => {
  const random = SeededRandom.from(1);
  const counts = new Int32Array(6);
  for (let i = 0; i < 6000; i++) counts[random.below(6)]! += 1;
  assert.ok(
    counts.every((count) => count > 850 && count < 1150),
    String(counts),
  );
});

test('shuffle: a permutation, the same for the same seed', () => {
  const shuffled = (seed: number) => {
    const items = Int32Array.from({ length: 50 }, (_, i) => i);
    shuffle(items, SeededRandom.from(seed));
    return [...items];
  };
  assert.deepEqual(shuffled(3), shuffled(3));
  assert.notDeepEqual(shuffled(3), shuffled(4));
  assert.deepEqual(
    shuffled(3).sort((a, b) => a - b),
    Array.from({ length: 50 }, (_, i) => i),
  );
});
