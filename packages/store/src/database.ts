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
  /** Called once the transaction is durable; never after a rollback, nor when the outcome of its commit is not known. */
  afterCommit(action: () => void): void;
}

export interface Migration {
  /** 1, 2, 3 ... without a gap. A migration that was released is never edited. */
  readonly id: number;
  readonly name: string;
  /** Statements that both engines understand. */
  readonly sql: string;
}

export interface Database extends Reader {
  /**
   * Runs `work` in one write transaction; transactions of one database run one after another. A throw rolls back.
   * Inside, use `tx` only: the outer database does not see what the transaction wrote. `step` names it for tests. Throws
   * `service_unavailable` while the store is away, and when the connection broke in the commit: then it may be stored or
   * not, and what is repeated has to be guarded.
   */
  transaction<T>(step: Step, work: (tx: Transaction) => Promise<T>): Promise<T>;
  /**
   * Lets the planner see how full a table is by now, where it goes by statistics: one that has just grown from nothing is
   * else read as if it had a handful of rows, in quadratic time.
   */
  refreshStatistics(table: string): Promise<void>;
  /** Called whenever the store is there again after it was away: commits may have been stored that nobody was told of. */
  onReconnected(listener: () => void): void;
  close(): Promise<void>;
}
