// Delivers the outbox to Reactor Core's judge: in batches, again and again until each is acknowledged.
import { evidenceReceiptSchema, isCodedError, MAX_EVIDENCE_PER_BATCH } from '@jarvis/contracts';
import { type Clock, type Logger, type Loop, type ServiceClient, startLoop } from '@jarvis/runtime';
import type { Database } from '@jarvis/store';
import { acknowledge, refuse, takeBatch } from '../store/outbox.ts';

const BATCHES_PER_LOOK_MAX = 100;
/** Shorter than the time a service has to stop. */
const ANSWER_LIMIT_MS = 10_000;

export interface EvidenceSenderOptions {
  readonly db: Database;
  readonly reactor: ServiceClient;
  readonly intervalMs: number;
  /** A batch was acknowledged. */
  readonly onDelivered: () => Promise<void>;
  readonly clock: Clock;
  readonly logger: Logger;
}

export function startEvidenceSender(options: EvidenceSenderOptions): Loop {
  const { db, reactor, intervalMs, clock, logger } = options;
  let batchRows = MAX_EVIDENCE_PER_BATCH;

  /** Sends one batch; whether there may be more. A batch that is refused is halved, down to the row that is the reason. */
  async function sendBatch(): Promise<boolean> {
    const batch = await takeBatch(db, batchRows);
    const [first] = batch;
    if (first === undefined) return false;
    try {
      await reactor.post('/api/evidence', { evidence: batch }, evidenceReceiptSchema, {
        once: true,
        timeoutMs: ANSWER_LIMIT_MS,
      });
    } catch (error) {
      if (!isCodedError(error, 'invalid_request')) throw error;
      batchRows = Math.max(1, Math.floor(batch.length / 2));
      if (batch.length > 1) return true;
      logger.error({ err: error, evidence: first }, 'Reactor Core refuses this evidence; it is set aside');
      await refuse(db, first, error.message);
      return true;
    }
    await acknowledge(db, batch);
    await options.onDelivered();
    batchRows = Math.min(2 * batchRows, MAX_EVIDENCE_PER_BATCH);
    return true;
  }

  return startLoop({
    name: 'send evidence',
    intervalMs,
    clock,
    logger,
    run: async (signal) => {
      for (let sent = 0; sent < BATCHES_PER_LOOK_MAX && !signal.aborted; sent++)
        if (!(await sendBatch())) return;
    },
  });
}
