// Virtual time: what is to happen, in the order of its time; what falls on the same moment, in the order of asking.
interface Planned {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

export class EventLoop {
  /** Milliseconds since the simulation began; never jumps. */
  nowMs = 0;
  /** Set by whoever has settled a promise: the code that waits for it has to run before time goes on. */
  promisesSettled = false;
  #order = 0;
  readonly #heap: Planned[] = [];

  after(ms: number, run: () => void): void {
    this.#push({ atMs: this.nowMs + Math.max(0, ms), order: (this.#order += 1), run });
  }

  /** Runs the next thing; false when nothing is planned. */
  step(): boolean {
    const next = this.#pop();
    if (next === undefined) return false;
    this.nowMs = next.atMs;
    next.run();
    return true;
  }

  #push(entry: Planned): void {
    const heap = this.#heap;
    let i = heap.length;
    heap.push(entry);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || isBefore(above, entry)) break;
      heap[i] = above;
      i = parent;
    }
    heap[i] = entry;
  }

  #pop(): Planned | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      const left = heap[child];
      if (left === undefined) break;
      const right = heap[child + 1];
      if (right !== undefined && isBefore(right, left)) child += 1;
      const smaller = heap[child];
      if (smaller === undefined || isBefore(last, smaller)) break;
      heap[i] = smaller;
      i = child;
    }
    heap[i] = last;
    return first;
  }
}

function isBefore(a: Planned, b: Planned): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
