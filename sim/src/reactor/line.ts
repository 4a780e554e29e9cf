// One thing after another, for work that is told when it is done. What waits dies with the process.
import type { SimProcess } from '../kernel/process.ts';

export class Line {
  readonly #process: SimProcess;
  readonly #waiting: ((done: () => void) => void)[] = [];
  #busy = false;

  constructor(process: SimProcess) {
    this.#process = process;
  }

  run(work: (done: () => void) => void): void {
    this.#waiting.push(this.#process.bound(work));
    if (!this.#busy) this.#next();
  }

  #next(): void {
    const work = this.#waiting.shift();
    this.#busy = work !== undefined;
    let open = true;
    work?.(() => {
      if (!open) return;
      open = false;
      this.#next();
    });
  }
}
