// Counts the write transactions of a store; it is told of each by the store itself.
import type { Meter } from './meter.ts';

interface TransactionSeen {
  readonly step: string;
  readonly outcome: 'committed' | 'failed';
  readonly seconds: number;
}

export function transactionCounter(meter: Meter): (seen: TransactionSeen) => void {
  return ({ step, outcome, seconds }) => {
    meter.count('jarvis_store_transactions_total', { step, outcome });
    meter.observe('jarvis_store_transaction_duration_seconds', {}, seconds);
  };
}
