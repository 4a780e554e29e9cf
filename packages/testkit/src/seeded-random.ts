// Chance from a seed (mulberry32), and names that count up: a test that failed fails again.
export interface SeededRandom {
  unit(): number;
  id(prefix: string): string;
}

export function seededRandom(seed: number): SeededRandom {
  let state = seed >>> 0;
  let names = 0;
  return {
    unit: () => {
      state = (state + 0x6d2b79f5) >>> 0;
      let t = state;
      t = Math.imul(t ^ (t >>> 15), t | 1);
      t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
      return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
    },
    id: (prefix) => `${prefix}-${(names += 1)}`,
  };
}
