// Seeded random numbers whose state fits in four words of a checkpoint: xoshiro128** (Blackman and Vigna),
// its state filled from the seed by splitmix32.

export type RandomState = readonly [number, number, number, number];

const WORD = 2 ** 32;

function rotl(x: number, k: number): number {
  return (x << k) | (x >>> (32 - k));
}

function splitmix32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let z = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return (z ^ (z >>> 16)) >>> 0;
  };
}

export class SeededRandom {
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  constructor(state: RandomState) {
    [this.#a, this.#b, this.#c, this.#d] = state;
  }

  /** @param seed a whole number up to 2^53; @param stream tells apart the generators of one seed */
  static from(seed: number, stream = 0): SeededRandom {
    const low = splitmix32(seed % WORD);
    const high = splitmix32(Math.floor(seed / WORD) ^ Math.imul(stream + 1, 0x632be5ab));
    const word = () => (low() ^ high()) >>> 0;
    // The all-zero state is the one the generator can't leave.
    return new SeededRandom([word(), word(), word(), word() || 1]);
  }

  /** 32 random bits, 0 to 2^32 - 1. */
  uint32(): number {
    const result = Math.imul(rotl(Math.imul(this.#b, 5), 7), 9) >>> 0;
    const shifted = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= shifted;
    this.#d = rotl(this.#d, 11);
    return result;
  }

  /** A whole number from 0 to bound - 1, each as likely as the others. @param bound 1 to 2^32 */
  below(bound: number): number {
    const limit = WORD - (WORD % bound);
    let word = this.uint32();
    while (word >= limit) word = this.uint32();
    return word % bound;
  }

  get state(): RandomState {
    return [this.#a >>> 0, this.#b >>> 0, this.#c >>> 0, this.#d >>> 0];
  }
}

/** Fisher-Yates, in place. */
export function shuffle(items: Int32Array, random: SeededRandom): void {
  for (let i = items.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    const kept = items[i]!;
    items[i] = items[j]!;
    items[j] = kept;
  }
}
