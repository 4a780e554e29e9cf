// One open transaction, whatever the engine: its statements run one after another; after one of them failed nothing of it
// can be committed, also when its caller caught the error (Postgres would refuse, SQLite would go on), and after its end
// nothing more can be run in it.
import { invariant } from '@jarvis/contracts';
import type { Row, Sql, Transaction } from './database.ts';

export interface Answer {
  readonly rows: readonly object[];
  readonly changes: number;
}
/** Runs one statement on the connection of the transaction. */
export type Execute = (query: Sql, kind: 'all' | 'get' | 'run') => Promise<Answer> | Answer;

export class OpenTransaction implements Transaction {
  readonly #execute: Execute;
  readonly #afterCommit: (() => void)[] = [];
  /** null when no statement runs. */
  #tail: Promise<void> | null = null;
  #failure: { readonly error: unknown } | null = null;
  #ended = false;

  constructor(execute: Execute) {
    this.#execute = execute;
  }

  async all<T extends object = Row>(query: Sql): Promise<T[]> {
    return (await this.#run(query, 'all')).rows as T[];
  }

  async get<T extends object = Row>(query: Sql): Promise<T | undefined> {
    return (await this.#run(query, 'get')).rows[0] as T | undefined;
  }

  async run(query: Sql): Promise<number> {
    return (await this.#run(query, 'run')).changes;
  }

  afterCommit(action: () => void): void {
    this.#afterCommit.push(action);
  }

  /** Waits for statements that nobody waited for. Throws what any of them threw. */
  async settle(): Promise<void> {
    while (this.#tail !== null) await this.#tail;
    this.#ended = true;
    if (this.#failure !== null) throw this.#failure.error;
  }

  committed(): void {
    for (const action of this.#afterCommit) action();
  }

  /** At once when nothing runs: SQLite answers without waiting, and a batch has many statements. */
  #run(query: Sql, kind: 'all' | 'get' | 'run'): Promise<Answer> | Answer {
    invariant(!this.#ended, 'a statement belongs to an open transaction');
    const result =
      this.#tail === null ? this.#start(query, kind) : this.#tail.then(() => this.#start(query, kind));
    if (result instanceof Promise) {
      const tail: Promise<void> = result.then(
        () => this.#forget(tail),
        () => this.#forget(tail),
      );
      this.#tail = tail;
    }
    return result;
  }

  #forget(tail: Promise<void>): void {
    if (this.#tail === tail) this.#tail = null;
  }

  #start(query: Sql, kind: 'all' | 'get' | 'run'): Promise<Answer> | Answer {
    if (this.#failure !== null) throw this.#failure.error;
    try {
      const answer = this.#execute(query, kind);
      return answer instanceof Promise ? answer.catch((error: unknown) => this.#fail(error)) : answer;
    } catch (error) {
      return this.#fail(error);
    }
  }

  #fail(error: unknown): never {
    this.#failure ??= { error };
    throw error;
  }
}
