// The breakers of the model types: rows only of those of which a job failed since the last that completed, or of which
// so many candidates in a row were rolled back.
import type { Breaker, BreakerCause, ModelType } from '@jarvis/contracts';
import type { JobEnd } from '@jarvis/coordinator';
import {
  afterFailure,
  afterRollback,
  breakerState,
  type BreakerRules,
  type BreakerView,
  type RolledBack,
} from '@jarvis/policy';
import { isoOf } from '@jarvis/runtime';
import { type Reader, sql, type Transaction } from '@jarvis/store';
import { findJobRow } from './jobs.ts';
import { numberOrNull } from './rows.ts';

interface BreakerRow {
  readonly model_type: ModelType;
  readonly cause: BreakerCause;
  readonly failures: number | string;
  readonly open_until: number | string | null;
  readonly last_error: string;
}

export async function listBreakers(db: Reader): Promise<BreakerView[]> {
  const rows = await db.all<BreakerRow>(sql`SELECT * FROM breakers ORDER BY model_type`);
  return rows.map((row) => ({
    modelType: row.model_type,
    cause: row.cause,
    failures: Number(row.failures),
    openUntilMs: numberOrNull(row.open_until),
    lastError: row.last_error,
  }));
}

export function breakerOf(view: BreakerView, nowMs: number, rules: BreakerRules): Breaker {
  return {
    model_type: view.modelType,
    state: breakerState(view, nowMs, rules),
    cause: view.cause,
    failures: view.failures,
    open_until: view.openUntilMs === null ? null : isoOf(view.openUntilMs),
    last_error: view.lastError,
  };
}

export interface Outcome {
  readonly jobId: string;
  readonly end: JobEnd;
  readonly error: string;
  readonly nowMs: number;
}

/** A job that completed closes the breaker of its kind, one that failed may open it; one that was cancelled says nothing. */
export async function countOutcome(tx: Transaction, outcome: Outcome, rules: BreakerRules): Promise<void> {
  const modelType = (await findJobRow(tx, outcome.jobId))?.model_type;
  if (modelType === undefined || outcome.end === 'cancelled') return;
  if (outcome.end === 'completed') {
    await forgetBreaker(tx, modelType);
    return;
  }
  await countFailure(tx, { modelType, error: outcome.error, nowMs: outcome.nowMs }, rules);
}

export interface Failure {
  readonly modelType: ModelType;
  readonly error: string;
  readonly nowMs: number;
}

export async function countFailure(
  tx: Transaction,
  { modelType, error, nowMs }: Failure,
  rules: BreakerRules,
): Promise<void> {
  const before = (await listBreakers(tx)).find((b) => b.modelType === modelType) ?? null;
  await putBreaker(tx, afterFailure(before, { modelType, error }, nowMs, rules));
}

/** What is known of rollbacks in a row counts once for each of them; whether it was news. */
export async function countRollback(
  tx: Transaction,
  { endedAt, ...rolledBack }: RolledBack & { readonly endedAt: string },
  { nowMs, rules }: { nowMs: number; rules: BreakerRules },
): Promise<boolean> {
  const isNews = await tx.run(sql`
    INSERT INTO rollbacks_counted (model_type, ended_at) VALUES (${rolledBack.modelType}, ${endedAt})
    ON CONFLICT (model_type) DO UPDATE SET ended_at = excluded.ended_at WHERE rollbacks_counted.ended_at <> excluded.ended_at`);
  if (isNews === 0) return false;
  const after = afterRollback(rolledBack, nowMs, rules);
  if (after !== null) await putBreaker(tx, after);
  return after !== null;
}

async function putBreaker(tx: Transaction, after: BreakerView): Promise<void> {
  const openUntil = after.openUntilMs === null ? null : Math.round(after.openUntilMs);
  await tx.run(sql`
    INSERT INTO breakers (model_type, cause, failures, open_until, last_error)
    VALUES (${after.modelType}, ${after.cause}, ${after.failures}, ${openUntil}, ${after.lastError})
    ON CONFLICT (model_type) DO UPDATE SET cause = ${after.cause}, failures = ${after.failures}, open_until = ${openUntil}, last_error = ${after.lastError}`);
}

export async function forgetBreaker(tx: Transaction, modelType: ModelType): Promise<boolean> {
  return (await tx.run(sql`DELETE FROM breakers WHERE model_type = ${modelType}`)) === 1;
}
