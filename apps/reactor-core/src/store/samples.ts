// What the judge of a rollout knew, from time to time: the evidence over time of its report. It stays when the rollout ends.
import type { RolloutSample } from '@jarvis/contracts';
import { type Reader, sql, type Transaction } from '@jarvis/store';

export async function lastSample(db: Reader, deploymentId: string): Promise<RolloutSample | null> {
  const row = await db.get<{ body: string }>(
    sql`SELECT body FROM rollout_samples WHERE deployment_id = ${deploymentId} ORDER BY seq DESC LIMIT 1`,
  );
  return row === undefined ? null : (JSON.parse(row.body) as RolloutSample);
}

export async function addSample(
  tx: Transaction,
  { deploymentId, atMs }: { deploymentId: string; atMs: number },
  sample: RolloutSample,
): Promise<void> {
  await tx.run(sql`
    INSERT INTO rollout_samples (deployment_id, seq, at_ms, body) VALUES (${deploymentId},
      (SELECT COALESCE(MAX(seq), 0) + 1 FROM rollout_samples WHERE deployment_id = ${deploymentId}), ${Math.round(atMs)},
      ${JSON.stringify(sample)})`);
}

/** Of old rollouts the verdict stays, and how it came about goes. */
export async function forgetOldSamples(tx: Transaction, rolloutsKept: number): Promise<void> {
  await tx.run(sql`
    DELETE FROM rollout_samples WHERE deployment_id NOT IN
      (SELECT deployment_id FROM deployments ORDER BY created_at DESC LIMIT ${rolloutsKept})`);
}

/** Oldest first. */
export async function listSamples(db: Reader, deploymentId: string, limit: number): Promise<RolloutSample[]> {
  const rows = await db.all<{ body: string }>(
    sql`SELECT body FROM rollout_samples WHERE deployment_id = ${deploymentId} ORDER BY seq LIMIT ${limit}`,
  );
  return rows.map((row) => JSON.parse(row.body) as RolloutSample);
}
