// Counts whole numbers in the order in which they first came. Open addressing over typed arrays that are used again for
// the next text: with a Map for each text, growing as it is filled, counting takes about twice as long.

const SLOTS_FIRST = 1024;

export class Tally {
  /** Place in the lists plus one; 0 is free. Its length is a power of two, at least twice the size. */
  #slots = new Int32Array(SLOTS_FIRST);
  #keys = new Int32Array(SLOTS_FIRST / 2);
  #counts = new Int32Array(SLOTS_FIRST / 2);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** @param key 32 bits, well mixed: the low ones choose its slot */
  add(key: number): void {
    const mask = this.#slots.length - 1;
    let slot = key & mask;
    for (;;) {
      const place = this.#slots[slot]!;
      if (place === 0) break;
      if (this.#keys[place - 1] === key) {
        this.#counts[place - 1]! += 1;
        return;
      }
      slot = (slot + 1) & mask;
    }
    this.#keys[this.#size] = key;
    this.#counts[this.#size] = 1;
    this.#size += 1;
    this.#slots[slot] = this.#size;
    if (this.#size === this.#keys.length) this.#grow();
  }

  /** What was counted, as arrays of the caller's own; the next count starts at nothing. */
  take(): { keys: Int32Array; counts: Int32Array } {
    const taken = { keys: this.#keys.slice(0, this.#size), counts: this.#counts.slice(0, this.#size) };
    this.#slots.fill(0);
    this.#size = 0;
    return taken;
  }

  #grow(): void {
    const { length } = this.#slots;
    const [keys, counts] = [this.#keys, this.#counts];
    this.#keys = new Int32Array(length);
    this.#counts = new Int32Array(length);
    this.#keys.set(keys);
    this.#counts.set(counts);
    this.#slots = new Int32Array(length * 2);
    const mask = this.#slots.length - 1;
    for (let place = 0; place < this.#size; place++) {
      let slot = this.#keys[place]! & mask;
      while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
      this.#slots[slot] = place + 1;
    }
  }
}
