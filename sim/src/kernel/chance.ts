// Everything that is left to chance, from the seed alone.
import { seededRandom } from '@jarvis/testkit';

export class Chance {
  readonly #random: ReturnType<typeof seededRandom>;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  unit(): number {
    return this.#random.unit();
  }

  id(prefix: string): string {
    return this.#random.id(prefix);
  }

  happens(probability: number): boolean {
    return this.#random.unit() < probability;
  }

  between(low: number, high: number): number {
    return low + (high - low) * this.#random.unit();
  }

  whole(low: number, high: number): number {
    return low + Math.floor((high - low + 1) * this.#random.unit());
  }

  pick<T>(list: readonly T[]): T | undefined {
    return list[Math.floor(this.#random.unit() * list.length)];
  }

  /** A waiting time whose mean is `meanMs`, without memory. */
  waitMs(meanMs: number): number {
    return -Math.log(1 - this.#random.unit()) * meanMs;
  }
}
