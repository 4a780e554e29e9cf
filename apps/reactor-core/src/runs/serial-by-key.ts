// One thing after another for each key; a key without work takes no memory.
import { Serial } from '@jarvis/store';

export class SerialByKey {
  readonly #what: string;
  readonly #lines = new Map<string, { line: Serial; waiting: number }>();

  /** `what` waits, in words, for who comes when too many do. */
  constructor(what: string) {
    this.#what = what;
  }

  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const entry = this.#lines.get(key) ?? { line: new Serial(this.#what), waiting: 0 };
    this.#lines.set(key, entry);
    entry.waiting += 1;
    try {
      return await entry.line.run(work);
    } finally {
      entry.waiting -= 1;
      if (entry.waiting === 0) this.#lines.delete(key);
    }
  }
}
