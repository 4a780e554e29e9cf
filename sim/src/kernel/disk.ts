// A disk under a store: each write is one transaction that happens wholly or not at all. It can be slow, be full, and
// the process that writes can die right before or right behind a write.
import { CodedError } from '@jarvis/contracts';
import type { Chance } from './chance.ts';
import type { EventLoop } from './event-loop.ts';
import type { Journal, Watched } from './journal.ts';
import { Crash, type SimProcess } from './process.ts';

const QUICK_MS_MAX = 20;
const SLOW_MS_MIN = 100;
const SLOW_MS_MAX = 4_000;
/** Most writes are done before anything else happens; the others leave room for it. */
const QUICK_SHARE = 0.15;

export class GuardFailed extends Error {}

/** An edge that a transaction has taken. */
export interface Moved {
  readonly of: Watched;
  readonly name: string;
  readonly move: { readonly from: string; readonly to: string; readonly why: string };
}

/** Collects what is to become true; undone when the work throws. */
export class Transaction {
  readonly moves: Moved[] = [];
  readonly #undo: (() => void)[] = [];

  change<T extends object>(row: T, fields: Partial<T>): void {
    const before = { ...row };
    this.#undo.push(() => Object.assign(row, before));
    Object.assign(row, fields);
  }

  insert<K, V>(table: Map<K, V>, key: K, row: V): void {
    this.#keep(table, key);
    table.set(key, row);
  }

  remove<K, V>(table: Map<K, V>, key: K): void {
    this.#keep(table, key);
    table.delete(key);
  }

  append<T>(list: T[], item: T): void {
    this.#undo.push(() => list.pop());
    list.push(item);
  }

  /** What is there under this key now comes back when the transaction fails. */
  #keep<K, V>(table: Map<K, V>, key: K): void {
    const before = table.get(key);
    this.#undo.push(() => (before === undefined ? table.delete(key) : table.set(key, before)));
  }

  edge(of: Watched, name: string, move: Moved['move']): void {
    this.moves.push({ of, name, move });
  }

  rollBack(): void {
    for (const undo of this.#undo.reverse()) undo();
  }
}

export interface DiskOptions {
  readonly process: SimProcess;
  readonly loop: EventLoop;
  readonly chance: Chance;
  readonly journal: Journal;
  /** The process dies in the middle of a write. */
  readonly onCrash: () => void;
  /** After each transaction that changed something. */
  readonly onCommit: (moves: readonly Moved[]) => void;
}

export class Disk {
  full = false;
  slow = false;
  #crashIn: { writes: number; when: 'before' | 'behind' } | null = null;
  readonly #options: DiskOptions;

  constructor(options: DiskOptions) {
    this.#options = options;
  }

  /** The process dies at the n-th write from now. */
  crashAt(writes: number, when: 'before' | 'behind'): void {
    this.#crashIn = { writes, when };
  }

  disarm(): void {
    this.#crashIn = null;
  }

  /** One transaction, now. Throws what the work throws (then nothing has changed), `storage_full`, or Crash. */
  commit<T>(work: (tx: Transaction) => T): T {
    const crash = this.#crashNow();
    if (crash === 'before') this.#die();
    if (this.full) throw new CodedError('storage_full', 'the disk is full');
    const tx = new Transaction();
    let result: T;
    try {
      result = work(tx);
    } catch (error) {
      tx.rollBack();
      throw error;
    }
    for (const { of, name, move } of tx.moves) this.#options.journal.edge(of, name, move);
    this.#options.onCommit(tx.moves);
    if (crash === 'behind') this.#die();
    return result;
  }

  /** The same over time, for code that waits on promises; after a crash nobody is left who waits. */
  commitLater<T>(work: (tx: Transaction) => T): Promise<T> {
    const { process, loop } = this.#options;
    const latencyMs = this.latencyMs();
    if (latencyMs === 0) return this.#settle(work);
    return new Promise<T>((resolve, reject) => {
      process.after(latencyMs, () => {
        this.#settle(work).then(resolve, reject);
        loop.promisesSettled = true;
      });
    });
  }

  latencyMs(): number {
    const { chance } = this.#options;
    if (this.slow) return chance.between(SLOW_MS_MIN, SLOW_MS_MAX);
    return chance.happens(QUICK_SHARE) ? chance.between(1, QUICK_MS_MAX) : 0;
  }

  #settle<T>(work: (tx: Transaction) => T): Promise<T> {
    try {
      return Promise.resolve(this.commit(work));
    } catch (error) {
      if (error instanceof Crash) return new Promise<T>(() => undefined);
      return Promise.reject(error);
    }
  }

  #crashNow(): 'before' | 'behind' | null {
    if (this.#crashIn === null) return null;
    this.#crashIn.writes -= 1;
    if (this.#crashIn.writes > 0) return null;
    const { when } = this.#crashIn;
    this.#crashIn = null;
    return when;
  }

  #die(): never {
    this.#options.onCrash();
    throw new Crash();
  }
}
