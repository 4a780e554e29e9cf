// `GET /api/invariants`: what must never break, held against what is stored.
import { invariantReportSchema } from '@jarvis/contracts';
import { checkCoreInvariants, type MemoryView } from '@jarvis/policy';
import type { HttpServer } from '@jarvis/runtime';
import type { Database } from '@jarvis/store';
import { readStoredFacts } from './store/invariants.ts';

export interface InvariantRoutesOptions {
  readonly db: Database;
  /** MAX_CONCURRENT_TRAINING_JOBS. */
  readonly slots: number;
  readonly memory: () => MemoryView | null;
}

export function addInvariantRoutes(server: HttpServer, { db, slots, memory }: InvariantRoutesOptions): void {
  const schema = {
    summary: 'Which invariants were checked on what is stored, and which are broken',
    response: { 200: invariantReportSchema },
  };
  server.get('/api/invariants', { schema }, async () => {
    // In one transaction: read one after another, a write in between would look like a break.
    const stored = await db.transaction('core.invariants.read', readStoredFacts);
    const measured = memory();
    const grantableBytes = measured === null ? null : measured.budgetBytes - measured.safetyBytes;
    return checkCoreInvariants({ ...stored, slotsAllowed: slots, grantableBytes });
  });
}
