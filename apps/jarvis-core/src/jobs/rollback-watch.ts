// Candidates that are rolled back one after the other open the breaker of their kind: what is trained from the same
// experiences tomorrow would go the same way, and somebody should look.
import { type ModelType, modelsSchema, modelTypeSchema } from '@jarvis/contracts';
import type { BreakerRules } from '@jarvis/policy';
import { type Clock, type Logger, type Loop, type ServiceClient, startLoop } from '@jarvis/runtime';
import type { Database } from '@jarvis/store';
import { countRollback } from '../store/breakers.ts';

/** Shorter than the time a service has to stop. */
const ANSWER_LIMIT_MS = 5_000;

export interface RollbackWatchOptions {
  readonly db: Database;
  readonly reactor: ServiceClient;
  readonly rules: BreakerRules;
  readonly intervalMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

export function watchRollbacks(options: RollbackWatchOptions): Loop {
  const { intervalMs, clock, logger } = options;
  return startLoop({ name: 'rollbacks in a row', intervalMs, clock, logger, run: () => look(options) });
}

async function look({ db, reactor, rules, clock, logger }: RollbackWatchOptions): Promise<void> {
  // While it is away nothing is trained either.
  if (!reactor.reachability().reachable) return;
  const { models } = await reactor.get('/api/models', modelsSchema, { timeoutMs: ANSWER_LIMIT_MS });
  for (const [kind, { rolled_back: rolledBack }] of Object.entries(models)) {
    const modelType = modelTypeSchema.safeParse(kind);
    if (!modelType.success || rolledBack === null) continue;
    const { in_a_row: inARow, reason, ended_at: endedAt } = rolledBack;
    const of = { modelType: modelType.data satisfies ModelType, inARow, reason, endedAt };
    const opened = await db.transaction('core.breaker.rollback', (tx) =>
      countRollback(tx, of, { nowMs: clock.now(), rules }),
    );
    if (opened) logger.warn({ kind, in_a_row: inARow }, 'candidates are rolled back: training is held back');
  }
}
