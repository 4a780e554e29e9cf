// Evidence is counted once by its id, and a session's error once in a rollout. Both are forgotten with the rollout's end.
import { sql, type Transaction } from '@jarvis/store';

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

/** True for the first error of a session in this rollout. */
export async function noteErrorSession(
  tx: Transaction,
  deploymentId: string,
  sessionHash: string,
): Promise<boolean> {
  const changes = await tx.run(sql`
    INSERT INTO error_sessions (deployment_id, session_hash) VALUES (${deploymentId}, ${sessionHash})
    ON CONFLICT (deployment_id, session_hash) DO NOTHING`);
  return changes === 1;
}

export async function forgetEvidence(tx: Transaction, deploymentId: string): Promise<void> {
  await tx.run(sql`DELETE FROM evidence WHERE deployment_id = ${deploymentId}`);
  await tx.run(sql`DELETE FROM error_sessions WHERE deployment_id = ${deploymentId}`);
}
