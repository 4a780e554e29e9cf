// Evidence on its way to Reactor Core: kept until it is acknowledged, sent again as often as it takes, counted once there.
import { evidenceReceiptSchema, MAX_EVIDENCE_PER_BATCH } from '@jarvis/contracts';
import { type Clock, type Logger, type Loop, type ServiceClient, startLoop } from '@jarvis/runtime';
import type { Database } from '@jarvis/store';
import { nextEvidence, removeEvidence } from '../store/interactions.ts';

const BATCHES_PER_LOOK_MAX = 100;

export interface OutboxOptions {
  readonly db: Database;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly intervalMs: number;
  readonly reactor: ServiceClient;
}

export function startEvidenceOutbox(options: OutboxOptions): Loop {
  return startLoop({
    name: 'evidence outbox',
    intervalMs: options.intervalMs,
    clock: options.clock,
    logger: options.logger,
    run: (signal) => deliver(options, signal),
  });
}

async function deliver({ db, reactor }: OutboxOptions, signal: AbortSignal): Promise<void> {
  for (let batch = 0; batch < BATCHES_PER_LOOK_MAX && !signal.aborted; batch += 1) {
    const evidence = await nextEvidence(db, MAX_EVIDENCE_PER_BATCH);
    if (evidence.length === 0) return;
    await reactor.post('/api/evidence', { evidence }, evidenceReceiptSchema, { once: true });
    await db.transaction((tx) =>
      removeEvidence(
        tx,
        evidence.map((e) => e.evidence_id),
      ),
    );
  }
}
