// The machine's memory: who holds how much, and the kernel that kills a trainer first when it runs out.
export interface MachineOptions {
  readonly physicalBytes: number;
  readonly budgetBytes: number;
  /** The owner that the kernel chose. */
  readonly onOutOfMemory: (owner: string) => void;
  readonly onChange: () => void;
}

const TRAINER = 'trainer ';

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
    if (bytes === 0) this.#bytes.delete(owner);
    else this.#bytes.set(owner, bytes);
    this.#options.onChange();
    if (this.usedBytes() > this.#options.physicalBytes) this.#kill();
  }

  bytesOf(owner: string): number {
    return this.#bytes.get(owner) ?? 0;
  }

  usedBytes(): number {
    let sum = 0;
    for (const bytes of this.#bytes.values()) sum += bytes;
    return sum;
  }

  /** Bytes of everybody but trainers. */
  otherThanTrainersBytes(): number {
    let sum = 0;
    for (const [owner, bytes] of this.#bytes) if (!owner.startsWith(TRAINER)) sum += bytes;
    return sum;
  }

  #kill(): void {
    const trainers = [...this.#bytes].filter(([owner]) => owner.startsWith(TRAINER));
    const largest = trainers.toSorted((a, b) => b[1] - a[1])[0];
    if (largest !== undefined) this.#options.onOutOfMemory(largest[0]);
  }
}
