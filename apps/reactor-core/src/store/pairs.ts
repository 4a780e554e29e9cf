// Pairs of answers to one input: the answers come from J-Prime, what was said of them from JARVIS Core, in either order.
// A pair is complete once both are there, and forgotten with its rollout.
import type { Evidence } from '@jarvis/contracts';
import { type Sql, sql, type Transaction } from '@jarvis/store';

export type Answers = Pick<Extract<Evidence, { kind: 'differed' }>, 'stable_output' | 'candidate_output'>;
export type Judgement = Pick<
  Extract<Evidence, { kind: 'judged' }>,
  'arm' | 'weight' | 'session_hash' | 'correct' | 'expected_output' | 'asked'
>;

export interface PairOf {
  readonly deploymentId: string;
  readonly pairId: string;
}

/** Notes the answers; what was said of them, if that came first. */
export async function noteAnswers(tx: Transaction, of: PairOf, answers: Answers): Promise<Judgement | null> {
  await put(tx, of, { column: sql`answers`, value: JSON.stringify(answers) });
  const row = await find(tx, of);
  return row?.judgement == null ? null : (JSON.parse(row.judgement) as Judgement);
}

/** Notes what was said; the answers, if they came first. */
export async function noteJudgement(
  tx: Transaction,
  of: PairOf,
  judgement: Judgement,
): Promise<Answers | null> {
  await put(tx, of, { column: sql`judgement`, value: JSON.stringify(judgement) });
  const row = await find(tx, of);
  return row?.answers == null ? null : (JSON.parse(row.answers) as Answers);
}

export async function forgetPairs(tx: Transaction, deploymentId: string): Promise<void> {
  await tx.run(sql`DELETE FROM answer_pairs WHERE deployment_id = ${deploymentId}`);
}

async function put(
  tx: Transaction,
  { deploymentId, pairId }: PairOf,
  { column, value }: { column: Sql; value: string },
): Promise<void> {
  await tx.run(sql`
    INSERT INTO answer_pairs (deployment_id, pair_id, ${column}) VALUES (${deploymentId}, ${pairId}, ${value})
    ON CONFLICT (deployment_id, pair_id) DO UPDATE SET ${column} = excluded.${column}`);
}

function find(
  tx: Transaction,
  { deploymentId, pairId }: PairOf,
): Promise<{ answers: string | null; judgement: string | null } | undefined> {
  return tx.get(
    sql`SELECT answers, judgement FROM answer_pairs WHERE deployment_id = ${deploymentId} AND pair_id = ${pairId}`,
  );
}
