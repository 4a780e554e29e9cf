// Evidence is counted once by its id, and a session's error once in a rollout. Both are forgotten with the rollout's end.
import { sql, type Transaction } from '@jarvis/store';
import { forgetPairs } from './pairs.ts';

/** What at most one of a session counts of. */
export type SessionMark = 'error' | 'slow' | 'pair';

/** False when it was counted before. */
export async function noteEvidence(
  tx: Transaction,
  evidenceId: string,
  deploymentId: string,
): Promise<boolean> {
  const changes = await tx.run(sql`
    INSERT INTO evidence (evidence_id, deployment_id) VALUES (${evidenceId}, ${deploymentId})
    ON CONFLICT (evidence_id) DO NOTHING`);
  return changes === 1;
}

/** True for the first of its sort from a session in this rollout. */
export async function noteSession(
  tx: Transaction,
  deploymentId: string,
  { sessionHash, mark }: { sessionHash: string; mark: SessionMark },
): Promise<boolean> {
  const key = mark === 'error' ? sessionHash : `${mark} ${sessionHash}`;
  const changes = await tx.run(sql`
    INSERT INTO error_sessions (deployment_id, session_hash) VALUES (${deploymentId}, ${key})
    ON CONFLICT (deployment_id, session_hash) DO NOTHING`);
  return changes === 1;
}

export async function forgetEvidence(tx: Transaction, deploymentId: string): Promise<void> {
  await tx.run(sql`DELETE FROM evidence WHERE deployment_id = ${deploymentId}`);
  await tx.run(sql`DELETE FROM error_sessions WHERE deployment_id = ${deploymentId}`);
  await forgetPairs(tx, deploymentId);
}
