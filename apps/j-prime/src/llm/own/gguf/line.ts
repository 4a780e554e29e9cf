// Who waits for the model: one at a time, in the order of coming, and not without end.

/** More than so many would wait for minutes; they are told to come again. */
export const WAITING_MAX = 16;

export class Line {
  #tail: Promise<unknown> = Promise.resolve();
  #inLine = 0;

  /** Those who wait and the one whose turn it is. */
  get length(): number {
    return this.#inLine;
  }

  /** Null when too many wait already. */
  enter<T>(work: () => Promise<T>): Promise<T> | null {
    if (this.#inLine > WAITING_MAX) return null;
    this.#inLine += 1;
    const turn = this.#tail.then(work).finally(() => (this.#inLine -= 1));
    this.#tail = turn.catch(() => undefined);
    return turn;
  }
}
