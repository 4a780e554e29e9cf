// Evidence comes in: each piece counts once, and moves the judge of its rollout in the same transaction.
import type { Arm, Evidence, ModelType } from '@jarvis/contracts';
import { isCorrect } from '@jarvis/model-kinds';
import { type JudgeEvidence, type JudgeState, observe, wrongOf } from '@jarvis/policy';
import type { Database, Transaction } from '@jarvis/store';
import { type DeploymentRow, findDeployment, isRollout, judgeOf, setJudge } from '../store/deployments.ts';
import { noteEvidence, noteSession } from '../store/evidence.ts';
import { type Answers, type Judgement, noteAnswers, noteJudgement } from '../store/pairs.ts';

/** Pairs whose answers wait for a judgement; where the versions differ in more, the first ones are enough to tell. */
const PAIRS_KEPT_MAX = 50_000;

type Taken = 'accepted' | 'repeated' | 'unknown_deployment';
export type EvidenceReceipt = Record<Taken, number>;
type ErrorOf = Extract<Evidence, { kind: 'failed' | 'slow' | 'corrected' }>;

/** A deployment that evidence is about, and its judge as far as this batch has moved it. */
interface Rollout {
  readonly row: DeploymentRow;
  judge: JudgeState;
  isMoved: boolean;
}

/** Applies a batch in order, in one transaction. */
export function takeEvidence(db: Database, batch: readonly Evidence[]): Promise<EvidenceReceipt> {
  return db.transaction('reactor.evidence.take', async (tx) => {
    const receipt: EvidenceReceipt = { accepted: 0, repeated: 0, unknown_deployment: 0 };
    const rollouts = await rolloutsOf(tx, batch);
    for (const evidence of batch)
      receipt[await takeOne(tx, rollouts.get(evidence.deployment_id), evidence)] += 1;
    for (const [id, { judge, isMoved }] of rollouts) if (isMoved) await setJudge(tx, id, judge);
    return receipt;
  });
}

/** Each looked up once, however much of the batch is about it. */
async function rolloutsOf(tx: Transaction, batch: readonly Evidence[]): Promise<Map<string, Rollout>> {
  const rollouts = new Map<string, Rollout>();
  for (const id of new Set(batch.map(({ deployment_id }) => deployment_id))) {
    const row = await findDeployment(tx, id);
    if (row !== undefined) rollouts.set(id, { row, judge: judgeOf(row), isMoved: false });
  }
  return rollouts;
}

async function takeOne(tx: Transaction, rollout: Rollout | undefined, evidence: Evidence): Promise<Taken> {
  if (rollout === undefined) return 'unknown_deployment';
  // With its end a rollout's evidence was forgotten: what comes late is taken, and changes nothing.
  if (!isRollout(rollout.row.state)) return 'accepted';
  if (!(await noteEvidence(tx, evidence.evidence_id, evidence.deployment_id))) return 'repeated';
  const seen = await whatItSays(tx, rollout, evidence);
  if (seen === null) return 'accepted';
  rollout.judge = observe(rollout.judge, seen);
  rollout.isMoved = true;
  return 'accepted';
}

/** What the judge hears; null where it says nothing, or not yet. */
async function whatItSays(
  tx: Transaction,
  { row, judge }: Rollout,
  evidence: Evidence,
): Promise<JudgeEvidence | null> {
  switch (evidence.kind) {
    case 'requests':
    case 'shadowed':
    case 'broken':
      return evidence;
    case 'failed':
    case 'slow':
    case 'corrected':
      return { ...evidence, firstOfSession: await isFirst(tx, evidence) };
    case 'differed': {
      if (judge.pairs.differed >= PAIRS_KEPT_MAX) return null;
      const judgement = await noteAnswers(tx, pairOf(evidence), evidence);
      return judgement === null ? null : judgePair(tx, row, { answers: evidence, judgement });
    }
    case 'judged': {
      const answers = await noteJudgement(tx, pairOf(evidence), evidence);
      return answers === null ? null : judgePair(tx, row, { answers, judgement: evidence });
    }
  }
}

function isFirst(
  tx: Transaction,
  { deployment_id, session_hash: sessionHash, kind }: ErrorOf,
): Promise<boolean> {
  return noteSession(tx, deployment_id, { sessionHash, mark: kind === 'slow' ? 'slow' : 'error' });
}

function pairOf({ deployment_id, pair_id }: { deployment_id: string; pair_id: string }): {
  deploymentId: string;
  pairId: string;
} {
  return { deploymentId: deployment_id, pairId: pair_id };
}

async function judgePair(
  tx: Transaction,
  row: DeploymentRow,
  { answers, judgement }: { answers: Answers; judgement: Judgement },
): Promise<JudgeEvidence | null> {
  const wrong = whoWasWrong(row.model_type, answers, judgement);
  if (wrong === null) return null;
  const { arm: served, weight, asked, session_hash: sessionHash } = judgement;
  const firstOfSession = asked || (await noteSession(tx, row.deployment_id, { sessionHash, mark: 'pair' }));
  return { kind: 'pair', wrong, served, weight, asked, firstOfSession };
}

/** Null where what would have been right was not said, or both or none of the answers are it. */
function whoWasWrong(kind: ModelType, answers: Answers, judgement: Judgement): Arm | null {
  const { arm, correct, expected_output } = judgement;
  const of = { stable: answers.stable_output, candidate: answers.candidate_output };
  const expected = expected_output ?? (correct ? of[arm] : null);
  if (expected === null) return null;
  return wrongOf({
    stable: isCorrect(kind, of.stable, expected),
    candidate: isCorrect(kind, of.candidate, expected),
  });
}
