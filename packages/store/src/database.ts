// What a store stands on, whatever the engine: transactions that are serialised, reads of committed data, migrations.
import type { Step } from '@jarvis/failpoints';
import type { Sql } from 'sql-template-tag';

export type { Step } from '@jarvis/failpoints';
export { default as sql, empty, join, raw, Sql } from 'sql-template-tag';

export type Row = Record<string, unknown>;

export interface Reader {
  all<T extends object = Row>(query: Sql): Promise<T[]>;
  get<T extends object = Row>(query: Sql): Promise<T | undefined>;
}

export interface Transaction extends Reader {
  /** Runs a statement; answers how many rows it changed. */
  run(query: Sql): Promise<number>;
  /** Called once the transaction is durable; never after a rollback. */
  afterCommit(action: () => void): void;
}

export interface Migration {
  /** 1, 2, 3 ... without a gap. A migration that was released is never edited. */
  readonly id: number;
  readonly name: string;
  readonly sql: string;
}

export interface Database extends Reader {
  /**
   * Runs `work` in one write transaction; transactions of one database run one after another. A throw rolls back.
   * Inside, use `tx` only: the outer database does not see what the transaction wrote. `step` names it for tests.
   */
  transaction<T>(step: Step, work: (tx: Transaction) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}
