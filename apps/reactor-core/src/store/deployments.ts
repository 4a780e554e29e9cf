// Deployments: every transition is one guarded statement made from DEPLOYMENT_LIFECYCLE; the judge's state and all
// timers are in the row, so that a rollout goes on after any restart.
import {
  type Deployment,
  DEPLOYMENT_LIFECYCLE,
  type DeploymentState,
  isTerminal,
  type ModelType,
  sourcesOf,
  type Strategy,
} from '@jarvis/contracts';
import { type JudgeState, type Promotion, startJudge } from '@jarvis/policy';
import { join, type Reader, sql, type Transaction } from '@jarvis/store';

/** What a rollout does, fixed when it is asked for. Times in seconds, weights in percent. */
export interface RolloutPlan {
  readonly steps: readonly number[];
  readonly promotion: Promotion;
  readonly stepSeconds: number;
  readonly stepMinRequests: number;
  readonly failureLimit: number;
  readonly alpha: number;
  readonly autoRollback: boolean;
}

export interface StepRecord {
  readonly percent: number;
  readonly startedMs: number;
  readonly endedMs: number | null;
}

export interface DeploymentRow {
  readonly deployment_id: string;
  readonly model_type: ModelType;
  readonly model_version: string;
  readonly stable_version: string | null;
  readonly strategy: Strategy;
  readonly state: DeploymentState;
  readonly reason: string;
  /** JSON of a RolloutPlan. */
  readonly plan: string;
  readonly salt: string;
  readonly step_index: number;
  readonly step_started_ms: number;
  /** How much of the step had passed when it was paused. */
  readonly step_paused_ms: number | null;
  /** JSON of StepRecord[]. */
  readonly history: string;
  /** JSON of a JudgeState. */
  readonly judge: string;
  readonly gate: string | null;
  /** Tries of the offline gate that came to no answer. */
  readonly gate_failures: number;
  readonly gate_retry_at_ms: number;
  readonly created_at: string;
  readonly ended_at: string | null;
}

const ROLLOUT_STATES = ['rolling', 'holding', 'paused'] as const;

export function isRollout(state: DeploymentState): boolean {
  return (ROLLOUT_STATES as readonly DeploymentState[]).includes(state);
}

export function planOf(row: Pick<DeploymentRow, 'plan'>): RolloutPlan {
  return { promotion: 'unless_broken', ...(JSON.parse(row.plan) as Omit<RolloutPlan, 'promotion'>) };
}
/** A rollout that an earlier release began knows less: what it lacks begins now. */
export function judgeOf(row: Pick<DeploymentRow, 'judge'>): JudgeState {
  const stored = JSON.parse(row.judge) as JudgeState;
  return { ...startJudge(stored), ...stored };
}
export function historyOf(row: Pick<DeploymentRow, 'history'>): StepRecord[] {
  return JSON.parse(row.history) as StepRecord[];
}
export function gateOf(row: DeploymentRow): Deployment['gate'] {
  return row.gate === null ? null : (JSON.parse(row.gate) as Deployment['gate']);
}

/** The candidate's weight in percent: 0 unless it gets traffic. */
export function percentOf(row: DeploymentRow): number {
  if (row.state === 'promoted') return 100;
  return isRollout(row.state) ? (planOf(row).steps[row.step_index] ?? 0) : 0;
}

export type NewDeployment = Omit<
  DeploymentRow,
  | 'state'
  | 'stable_version'
  | 'step_index'
  | 'step_started_ms'
  | 'step_paused_ms'
  | 'history'
  | 'gate'
  | 'gate_failures'
  | 'gate_retry_at_ms'
  | 'ended_at'
>;

export async function insertDeployment(tx: Transaction, row: NewDeployment): Promise<void> {
  await tx.run(sql`
    INSERT INTO deployments (deployment_id, model_type, model_version, strategy, state, reason, plan, salt,
      step_index, step_started_ms, history, judge, created_at)
    VALUES (${row.deployment_id}, ${row.model_type}, ${row.model_version}, ${row.strategy}, 'gating', ${row.reason},
      ${row.plan}, ${row.salt}, 0, 0, '[]', ${row.judge}, ${row.created_at})`);
}

export function findDeployment(db: Reader, id: string): Promise<DeploymentRow | undefined> {
  return db.get<DeploymentRow>(sql`SELECT * FROM deployments WHERE deployment_id = ${id}`);
}

/** The one deployment of a kind whose candidate gets traffic. */
export function findActiveRollout(db: Reader, modelType: string): Promise<DeploymentRow | undefined> {
  return db.get<DeploymentRow>(
    sql`SELECT * FROM deployments WHERE model_type = ${modelType} AND state IN (${join([...ROLLOUT_STATES])})`,
  );
}

export function listActiveRollouts(db: Reader): Promise<DeploymentRow[]> {
  return db.all<DeploymentRow>(
    sql`SELECT * FROM deployments WHERE state IN (${join([...ROLLOUT_STATES])}) ORDER BY model_type`,
  );
}

/** Those whose gate is due, oldest first. */
export function listGating(db: Reader, nowMs: number): Promise<DeploymentRow[]> {
  return db.all<DeploymentRow>(
    sql`SELECT * FROM deployments WHERE state = 'gating' AND gate_retry_at_ms <= ${nowMs} ORDER BY created_at`,
  );
}

/** Those of a kind that have not ended, but for one. */
export function listOpenBeside(
  db: Reader,
  of: { modelType: string; deploymentId: string; before: string },
): Promise<DeploymentRow[]> {
  return db.all<DeploymentRow>(sql`
    SELECT * FROM deployments WHERE model_type = ${of.modelType} AND deployment_id <> ${of.deploymentId} AND
      (state IN (${join([...ROLLOUT_STATES])}) OR (state = 'gating' AND created_at <= ${of.before}))`);
}

/** Newest first. */
export function listDeployments(db: Reader, limit: number): Promise<DeploymentRow[]> {
  return db.all<DeploymentRow>(sql`SELECT * FROM deployments ORDER BY created_at DESC LIMIT ${limit}`);
}

/** Newest first. */
export function listDeploymentsOf(
  db: Reader,
  of: { modelType: string; version: string },
  limit: number,
): Promise<DeploymentRow[]> {
  return db.all<DeploymentRow>(sql`
    SELECT * FROM deployments WHERE model_type = ${of.modelType} AND model_version = ${of.version}
    ORDER BY created_at DESC LIMIT ${limit}`);
}

/** False when the lifecycle does not allow it from where the deployment is now. */
export async function moveDeployment(
  tx: Transaction,
  id: string,
  to: { state: DeploymentState; reason: string; at: string },
): Promise<boolean> {
  const endedAt = isTerminal(DEPLOYMENT_LIFECYCLE, to.state) ? to.at : null;
  const changes = await tx.run(sql`
    UPDATE deployments SET state = ${to.state}, reason = ${to.reason}, ended_at = ${endedAt}
    WHERE deployment_id = ${id} AND state IN (${join(sourcesOf(DEPLOYMENT_LIFECYCLE, to.state))})`);
  return changes === 1;
}

export async function setStep(
  tx: Transaction,
  id: string,
  step: { index: number; startedMs: number; history: readonly StepRecord[] },
): Promise<void> {
  await tx.run(sql`
    UPDATE deployments SET step_index = ${step.index}, step_started_ms = ${step.startedMs}, step_paused_ms = NULL,
      history = ${JSON.stringify(step.history)} WHERE deployment_id = ${id}`);
}

export async function setStepClock(
  tx: Transaction,
  id: string,
  clock: { startedMs: number; pausedMs: number | null },
): Promise<void> {
  await tx.run(sql`
    UPDATE deployments SET step_started_ms = ${clock.startedMs}, step_paused_ms = ${clock.pausedMs} WHERE deployment_id = ${id}`);
}

export async function setStable(tx: Transaction, id: string, version: string | null): Promise<void> {
  await tx.run(sql`UPDATE deployments SET stable_version = ${version} WHERE deployment_id = ${id}`);
}

export async function setGate(tx: Transaction, id: string, gate: Deployment['gate']): Promise<void> {
  await tx.run(sql`UPDATE deployments SET gate = ${JSON.stringify(gate)} WHERE deployment_id = ${id}`);
}

/** Notes a try of the gate that came to no answer, and when the next one is due. */
export async function setGateRetry(
  tx: Transaction,
  id: string,
  retry: { failures: number; retryAtMs: number; reason: string },
): Promise<void> {
  await tx.run(sql`
    UPDATE deployments SET gate_failures = ${retry.failures}, gate_retry_at_ms = ${retry.retryAtMs}, reason = ${retry.reason}
    WHERE deployment_id = ${id} AND state = 'gating'`);
}

export async function setReason(tx: Transaction, id: string, reason: string): Promise<void> {
  await tx.run(sql`UPDATE deployments SET reason = ${reason} WHERE deployment_id = ${id}`);
}

export async function setJudge(tx: Transaction, id: string, judge: JudgeState): Promise<void> {
  await tx.run(sql`UPDATE deployments SET judge = ${JSON.stringify(judge)} WHERE deployment_id = ${id}`);
}

/** Candidates of a kind that were rolled back since the last one that was promoted, the newest first. */
export async function rolledBackInARow(
  db: Reader,
  modelType: string,
): Promise<{ count: number; reason: string; endedAt: string } | null> {
  const row = await db.get<{ n: number | string; reason: string | null; ended_at: string | null }>(sql`
    SELECT COUNT(*) AS n, MAX(ended_at) AS ended_at,
      (SELECT reason FROM deployments WHERE model_type = ${modelType} AND state = 'rolled_back'
        ORDER BY ended_at DESC LIMIT 1) AS reason
    FROM deployments WHERE model_type = ${modelType} AND state = 'rolled_back' AND ended_at >
      COALESCE((SELECT MAX(ended_at) FROM deployments WHERE model_type = ${modelType} AND state = 'promoted'), '')`);
  if (row === undefined || row.ended_at === null || row.reason === null) return null;
  return { count: Number(row.n), reason: row.reason, endedAt: row.ended_at };
}
