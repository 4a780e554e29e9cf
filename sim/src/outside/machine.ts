// The machine's memory: who holds how much, and the kernel that kills when it runs out: a trainer first, as its
// oom_score_adj tells it; then whoever holds most.
export interface MachineOptions {
  readonly physicalBytes: number;
  readonly budgetBytes: number;
  /** Bytes of all are more than there are. */
  readonly onShort: () => void;
  /** The owner that the kernel chose. */
  readonly onOutOfMemory: (owner: string) => void;
  readonly onChange: () => void;
}

const TRAINER = 'trainer ';
const OUTSIDE = 'outside ';

export class Machine {
  readonly #options: MachineOptions;
  readonly #bytes = new Map<string, number>();
  /** What may be given away at present: a limit from outside may be lowered, and raised again. */
  budgetBytes: number;

  constructor(options: MachineOptions) {
    this.#options = options;
    this.budgetBytes = options.budgetBytes;
  }

  hold(owner: string, bytes: number): void {
    const grows = bytes > this.bytesOf(owner);
    if (bytes === 0) this.#bytes.delete(owner);
    else this.#bytes.set(owner, bytes);
    this.#options.onChange();
    if (grows && this.#isShort()) this.#kill();
  }

  bytesOf(owner: string): number {
    return this.#bytes.get(owner) ?? 0;
  }

  usedBytes(): number {
    return this.#sum(() => true);
  }

  /** Of other programs. */
  outsideBytes(): number {
    return this.#sum((owner) => owner.startsWith(OUTSIDE));
  }

  #isShort(): boolean {
    return this.usedBytes() > this.#options.physicalBytes;
  }

  #kill(): void {
    this.#options.onShort();
    while (this.#isShort()) {
      const all = [...this.#bytes].toSorted((a, b) => b[1] - a[1]);
      const [victim] = all.find(([owner]) => owner.startsWith(TRAINER)) ?? all[0] ?? [];
      if (victim === undefined) return;
      this.#options.onOutOfMemory(victim);
      this.#bytes.delete(victim);
      this.#options.onChange();
    }
  }

  #sum(isCounted: (owner: string) => boolean): number {
    let sum = 0;
    for (const [owner, bytes] of this.#bytes) if (isCounted(owner)) sum += bytes;
    return sum;
  }
}
