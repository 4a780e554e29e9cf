// What was asked and answered, how it was judged, and the evidence that is on its way to the judge of a rollout.
import { CodedError, type Evidence, type PredictResponse } from '@jarvis/contracts';
import { type Database, join, sql, type Transaction } from '@jarvis/store';

export interface Interaction {
  readonly interactionId: string;
  readonly text: string;
  readonly intent: string;
  readonly confidence: number;
  readonly version: string;
  readonly arm: 'stable' | 'candidate';
  readonly rollout: PredictResponse['rollout'];
  readonly answeredAtMs: number;
}

interface InteractionRow {
  readonly interaction_id: string;
  readonly text: string;
  readonly intent: string;
  readonly confidence: number;
  readonly version: string;
  readonly arm: 'stable' | 'candidate';
  readonly rollout: string | null;
  readonly answered_at: number | string;
  readonly judgement: string | null;
}

export async function insertInteraction(tx: Transaction, i: Interaction): Promise<void> {
  await tx.run(sql`
    INSERT INTO interactions (interaction_id, text, intent, confidence, version, arm, rollout, answered_at)
    VALUES (${i.interactionId}, ${i.text}, ${i.intent}, ${i.confidence}, ${i.version}, ${i.arm}, ${i.rollout === null ? null : JSON.stringify(i.rollout)}, ${i.answeredAtMs})`);
}

/**
 * Writes the judgement of an interaction, once. Answers the interaction, or null when it was judged the same before.
 * Throws `not_found`, and `feedback_conflict` when it was judged differently.
 */
export async function judgeInteraction(
  tx: Transaction,
  interactionId: string,
  judgement: string,
): Promise<Interaction | null> {
  const row = await tx.get<InteractionRow>(
    sql`SELECT * FROM interactions WHERE interaction_id = ${interactionId}`,
  );
  if (row === undefined) throw new CodedError('not_found', `there is no interaction ${interactionId}`);
  if (row.judgement === judgement) return null;
  if (row.judgement !== null)
    throw new CodedError('feedback_conflict', `interaction ${interactionId} was judged differently before`);
  await tx.run(sql`UPDATE interactions SET judgement = ${judgement} WHERE interaction_id = ${interactionId}`);
  return {
    interactionId,
    text: row.text,
    intent: row.intent,
    confidence: row.confidence,
    version: row.version,
    arm: row.arm,
    rollout: row.rollout === null ? null : (JSON.parse(row.rollout) as PredictResponse['rollout']),
    answeredAtMs: Number(row.answered_at),
  };
}

export async function queueEvidence(tx: Transaction, evidence: Evidence, nowMs: number): Promise<void> {
  await tx.run(
    sql`INSERT INTO evidence_outbox (evidence_id, body, created_at) VALUES (${evidence.evidence_id}, ${JSON.stringify(evidence)}, ${nowMs}) ON CONFLICT (evidence_id) DO NOTHING`,
  );
}

export async function nextEvidence(db: Database, limit: number): Promise<Evidence[]> {
  const rows = await db.all<{ body: string }>(
    sql`SELECT body FROM evidence_outbox ORDER BY created_at, evidence_id LIMIT ${limit}`,
  );
  return rows.map((r) => JSON.parse(r.body) as Evidence);
}

export async function removeEvidence(tx: Transaction, ids: readonly string[]): Promise<void> {
  if (ids.length > 0) await tx.run(sql`DELETE FROM evidence_outbox WHERE evidence_id IN (${join([...ids])})`);
}

/** Takes out of the outbox what Reactor Core will never accept, and keeps it with the reason. */
export async function refuseEvidence(tx: Transaction, evidence: Evidence, reason: string): Promise<void> {
  await tx.run(
    sql`INSERT INTO evidence_refused (evidence_id, body, reason) VALUES (${evidence.evidence_id}, ${JSON.stringify(evidence)}, ${reason})`,
  );
  await removeEvidence(tx, [evidence.evidence_id]);
}

/** How much evidence waits, since when the oldest does, and how much was refused. */
export async function readOutbox(
  db: Database,
): Promise<{ pending: number; oldestMs: number | null; refused: number }> {
  const row = await db.get<Record<'pending' | 'oldest' | 'refused', number | string | null>>(sql`
    SELECT (SELECT COUNT(*) FROM evidence_outbox) AS pending, (SELECT MIN(created_at) FROM evidence_outbox) AS oldest,
      (SELECT COUNT(*) FROM evidence_refused) AS refused`);
  const oldest = row?.oldest ?? null;
  return {
    pending: Number(row?.pending ?? 0),
    oldestMs: oldest === null ? null : Number(oldest),
    refused: Number(row?.refused ?? 0),
  };
}
