// Tells of each write transaction how it went and how long it took, waiting for its turn included.
import type { Database, Step } from './database.ts';
import type { StoreClock } from './postgres-writer.ts';

export interface TransactionSeen {
  readonly step: Step;
  readonly outcome: 'committed' | 'failed';
  readonly seconds: number;
}

/** A refusal of the work itself, such as a lock that somebody else holds, rolls back too and counts as failed. */
export function observed(
  db: Database,
  clock: Pick<StoreClock, 'monotonic'>,
  onTransaction: (seen: TransactionSeen) => void,
): Database {
  return {
    all: (query) => db.all(query),
    get: (query) => db.get(query),
    refreshStatistics: (table) => db.refreshStatistics(table),
    onReconnected: (listener) => db.onReconnected(listener),
    close: () => db.close(),
    async transaction(step, work) {
      const from = clock.monotonic();
      let outcome: TransactionSeen['outcome'] = 'failed';
      try {
        const result = await db.transaction(step, work);
        outcome = 'committed';
        return result;
      } finally {
        onTransaction({ step, outcome, seconds: (clock.monotonic() - from) / 1000 });
      }
    },
  };
}
