// Evidence on its way to Reactor Core: kept until it is acknowledged, sent again as often as it takes, counted once there.
import { evidenceReceiptSchema, isCodedError, MAX_EVIDENCE_PER_BATCH } from '@jarvis/contracts';
import { type Clock, type Logger, type Loop, type ServiceClient, startLoop } from '@jarvis/runtime';
import type { Database } from '@jarvis/store';
import { nextEvidence, refuseEvidence, removeEvidence } from '../store/interactions.ts';

const BATCHES_PER_LOOK_MAX = 100;
/** Shorter than the time a service has to stop. */
const ANSWER_LIMIT_MS = 10_000;

export interface OutboxOptions {
  readonly db: Database;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly intervalMs: number;
  readonly reactor: ServiceClient;
}

export function startEvidenceOutbox(options: OutboxOptions): Loop {
  let rows = MAX_EVIDENCE_PER_BATCH;
  return startLoop({
    name: 'evidence outbox',
    intervalMs: options.intervalMs,
    clock: options.clock,
    logger: options.logger,
    run: async (signal) => {
      for (let batch = 0; batch < BATCHES_PER_LOOK_MAX && !signal.aborted; batch += 1) {
        const next = await deliver(options, rows);
        if (next === null) return;
        rows = next;
      }
    },
  });
}

/**
 * Sends one batch; answers how large the next may be, null when there is none. A batch that is refused is halved, down to
 * the row that is the reason: that one is kept apart, so that it does not hold up what stands behind it.
 */
async function deliver({ db, reactor, logger }: OutboxOptions, rows: number): Promise<number | null> {
  const evidence = await nextEvidence(db, rows);
  const [first] = evidence;
  if (first === undefined) return null;
  try {
    await reactor.post('/api/evidence', { evidence }, evidenceReceiptSchema, {
      once: true,
      timeoutMs: ANSWER_LIMIT_MS,
    });
  } catch (error) {
    if (!isCodedError(error, 'invalid_request')) throw error;
    if (evidence.length > 1) return Math.floor(evidence.length / 2);
    logger.error({ err: error, evidence: first }, 'Reactor Core refuses this evidence; it is kept apart');
    await db.transaction('core.evidence.refuse', (tx) => refuseEvidence(tx, first, error.message));
    return rows;
  }
  await db.transaction('core.evidence.acknowledge', (tx) =>
    removeEvidence(
      tx,
      evidence.map((e) => e.evidence_id),
    ),
  );
  return Math.min(2 * rows, MAX_EVIDENCE_PER_BATCH);
}
