// Deployments from gate to end: each look decides by policy, each change is one transaction with its routes.
import {
  CodedError,
  type DeployRequest,
  type DeploymentState,
  type Environment,
  type Evidence,
  type ModelType,
  type RolloutAction,
  type Strategy,
} from '@jarvis/contracts';
import { decideRollout, planSteps, startJudge } from '@jarvis/policy';
import { type Clock, isoNow, type Logger, type Random } from '@jarvis/runtime';
import type { Database, Transaction } from '@jarvis/store';
import { findNamed } from '../store/aliases.ts';
import {
  type DeploymentRow,
  findActiveRollout,
  historyOf,
  insertDeployment,
  isRollout,
  judgeOf,
  listActiveRollouts,
  listOpenBeside,
  moveDeployment,
  planOf,
  type RolloutPlan,
  setReason,
  setStable,
  setStepClock,
  setStep,
} from '../store/deployments.ts';
import { forgetEvidence } from '../store/evidence.ts';
import {
  championBefore,
  championOf,
  insertPromotion,
  revertPromotionsTo,
  wasPromoted,
} from '../store/versions.ts';
import { forgetOldSamples } from '../store/samples.ts';
import { mustFindVersion } from '../registry/named-version.ts';
import { noteIfDue, noteNow } from './chronicle.ts';
import { type EvidenceReceipt, takeEvidence } from './evidence-intake.ts';
import type { Through } from './gates.ts';
import { mustFindDeployment } from './named-deployment.ts';
import type { Routing } from './routing.ts';

/** Rollouts whose evidence over time can be told of. */
const REPORTS_KEPT = 200;
/** No version, and so none that was ever promoted. */
const UNKNOWN = '';

export interface DeploymentsOptions {
  readonly db: Database;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly env: Environment;
  readonly routing: Routing;
  readonly onChange: () => void;
}

export class Deployments {
  readonly #options: DeploymentsOptions;

  constructor(options: DeploymentsOptions) {
    this.#options = options;
  }

  /** Puts a version on its way: at once when there is nothing to compare with, else in steps. */
  async deployNew(tx: Transaction, modelType: ModelType, version: string): Promise<void> {
    const first = (await championOf(tx, modelType)) === null;
    const strategy: Strategy = first || !this.#options.env.AB_TEST_ENABLED ? 'immediate' : 'gradual_rollout';
    await this.#insert(tx, { model_type: modelType, model_version: version, strategy, config: {} });
    tx.afterCommit(this.#options.onChange);
  }

  /** Throws `not_found` for an unknown version. */
  async deploy(request: DeployRequest): Promise<DeploymentRow> {
    const { db, onChange } = this.#options;
    const id = await db.transaction('reactor.deployment.insert', async (tx) => {
      const version = await mustFindVersion(tx, request.model_type, request.model_version);
      return this.#insert(tx, { ...request, model_version: version.version });
    });
    onChange();
    return mustFindDeployment(db, id);
  }

  async #insert(tx: Transaction, request: DeployRequest): Promise<string> {
    const { random, clock, env } = this.#options;
    const { strategy, config } = request;
    const { steps, promotion } = planSteps({
      strategy,
      steps: config.rollout_steps ?? env.ROLLOUT_STEPS,
      initialPercentage:
        config.initial_percentage ?? config.rollout_steps?.[0] ?? env.AB_TEST_INITIAL_PERCENTAGE,
      initialIsAsked: config.initial_percentage !== undefined,
      gradual: env.AB_TEST_GRADUAL_ROLLOUT,
    });
    const plan: RolloutPlan = {
      steps,
      promotion,
      stepSeconds: config.monitor_duration_seconds ?? env.ROLLOUT_STEP_SECONDS,
      stepMinRequests: env.ROLLOUT_STEP_MIN_REQUESTS,
      failureLimit: config.rollback_on_error_rate ?? env.ROLLBACK_ON_ERROR_RATE,
      alpha: env.ROLLOUT_ALPHA,
      autoRollback: config.auto_rollback ?? true,
    };
    const deploymentId = random.id('deployment');
    await insertDeployment(tx, {
      deployment_id: deploymentId,
      model_type: request.model_type,
      model_version: request.model_version,
      strategy,
      reason: 'waits for the offline gate',
      plan: JSON.stringify(plan),
      salt: deploymentId,
      judge: JSON.stringify(startJudge({ alpha: plan.alpha, failureLimit: plan.failureLimit })),
      created_at: isoNow(clock),
    });
    return deploymentId;
  }

  /** One look at every rollout that is under way. */
  async look(): Promise<void> {
    const { db } = this.#options;
    for (const row of await listActiveRollouts(db))
      await db.transaction('reactor.deployment.judge', (tx) => this.#judge(tx, row.deployment_id));
  }

  /** Through the gate: a newer candidate takes the place of one that is under way. */
  async begin(tx: Transaction, { row, champion, reason }: Through): Promise<void> {
    const { clock, routing } = this.#options;
    const id = row.deployment_id;
    // Meanwhile it may have been aborted, promoted by hand, or superseded.
    if ((await mustFindDeployment(tx, id)).state !== 'gating') return;
    if (row.strategy === 'immediate' || champion === undefined) return this.#promote(tx, row, reason);
    await this.#takeThePlace(tx, row);
    await moveDeployment(tx, id, { state: 'rolling', reason, at: isoNow(clock) });
    await setStep(tx, id, {
      index: 0,
      startedMs: clock.now(),
      history: [{ percent: percentAt(row, 0), startedMs: clock.now(), endedMs: null }],
    });
    await routing.publish(tx);
  }

  /** What is older, or gets traffic now, makes way for a candidate that comes out of the gate. */
  async #takeThePlace(tx: Transaction, row: DeploymentRow): Promise<void> {
    const { model_type: modelType, deployment_id: deploymentId, created_at: before } = row;
    const reason = `${row.model_version} takes its place`;
    for (const other of await listOpenBeside(tx, { modelType, deploymentId, before }))
      await this.#close(tx, other, 'superseded', reason);
    await setStable(tx, deploymentId, await championOf(tx, modelType));
  }

  async #promote(tx: Transaction, row: DeploymentRow, reason: string): Promise<void> {
    if (row.state === 'gating') await this.#takeThePlace(tx, row);
    return this.#end(tx, row, 'promoted', reason);
  }

  async #judge(tx: Transaction, id: string): Promise<void> {
    const { clock, routing } = this.#options;
    const row = await mustFindDeployment(tx, id);
    if (!isRollout(row.state)) return;
    await noteIfDue(tx, row, clock.now());
    const plan = planOf(row);
    const decision = decideRollout({
      state: row.state,
      version: row.model_version,
      steps: plan.steps,
      promotion: plan.promotion,
      stepIndex: row.step_index,
      stepStartedAtMs: row.step_started_ms,
      nowMs: clock.now(),
      stepSeconds: plan.stepSeconds,
      stepMinRequests: plan.stepMinRequests,
      judge: judgeOf(row),
      autoRollback: plan.autoRollback,
    });
    switch (decision.go) {
      case 'stay':
        return;
      case 'hold':
        if (row.state === 'rolling')
          await moveDeployment(tx, id, { state: 'holding', reason: decision.reason, at: isoNow(clock) });
        else if (row.reason !== decision.reason) await setReason(tx, id, decision.reason);
        return;
      case 'advance':
        await noteNow(tx, row, clock.now());
        if (row.state === 'holding')
          await moveDeployment(tx, id, { state: 'rolling', reason: decision.reason, at: isoNow(clock) });
        else await setReason(tx, id, decision.reason);
        await setStep(tx, id, {
          index: decision.toStep,
          startedMs: clock.now(),
          history: [
            ...closeStep(row, clock.now()),
            { percent: percentAt(row, decision.toStep), startedMs: clock.now(), endedMs: null },
          ],
        });
        await routing.publish(tx);
        return;
      case 'promote':
        return this.#promote(tx, row, decision.reason);
      case 'roll_back':
        return this.#end(tx, row, 'rolled_back', decision.reason);
    }
  }

  async #end(tx: Transaction, row: DeploymentRow, state: DeploymentState, reason: string): Promise<void> {
    const { clock, routing } = this.#options;
    if (!(await this.#close(tx, row, state, reason)))
      throw new CodedError('illegal_transition', `a deployment that is ${row.state} cannot become ${state}`);
    if (state === 'promoted')
      await insertPromotion(tx, {
        modelType: row.model_type,
        version: row.model_version,
        at: isoNow(clock),
      });
    await routing.publish(tx);
  }

  /** Ends it, with its last step and its evidence; the routes are for the caller to publish. False when it may not. */
  async #close(
    tx: Transaction,
    row: DeploymentRow,
    state: DeploymentState,
    reason: string,
  ): Promise<boolean> {
    const { clock, logger } = this.#options;
    const id = row.deployment_id;
    if (isRollout(row.state)) await noteNow(tx, row, clock.now());
    if (!(await moveDeployment(tx, id, { state, reason, at: isoNow(clock) }))) return false;
    await setStep(tx, id, {
      index: row.step_index,
      startedMs: row.step_started_ms,
      history: closeStep(row, clock.now()),
    });
    await forgetEvidence(tx, id);
    await forgetOldSamples(tx, REPORTS_KEPT);
    tx.afterCommit(() => logger.info({ deployment_id: id, version: row.model_version, state }, reason));
    return true;
  }

  /** Takes evidence in; each piece counts once. */
  async takeEvidence(batch: readonly Evidence[]): Promise<EvidenceReceipt> {
    const receipt = await takeEvidence(this.#options.db, batch);
    this.#options.onChange();
    return receipt;
  }

  /** Everybody back to stable now: from the rollout under way, else to the version before. Throws `nothing_to_roll_back_to`. */
  async rollBack(modelType: ModelType, previous?: string): Promise<string> {
    const { db, clock, routing } = this.#options;
    return db.transaction('reactor.deployment.roll_back', async (tx) => {
      // Before the rollout ends: with it `candidate` points to nothing.
      const asked =
        previous === undefined ? null : ((await findNamed(tx, modelType, previous))?.version ?? UNKNOWN);
      const rollout = await findActiveRollout(tx, modelType);
      if (rollout !== undefined) await this.#end(tx, rollout, 'rolled_back', 'rolled back by hand');
      const champion = await championOf(tx, modelType);
      const target = asked ?? (rollout === undefined ? await championBefore(tx, modelType) : champion);
      if (target === null || (asked !== null && !(await wasPromoted(tx, modelType, asked)))) {
        throw new CodedError(
          'nothing_to_roll_back_to',
          `no earlier ${modelType} version was ever served to everybody`,
        );
      }
      if (target !== champion) {
        await revertPromotionsTo(tx, modelType, target, isoNow(clock));
        if ((await championOf(tx, modelType)) !== target)
          await insertPromotion(tx, { modelType, version: target, at: isoNow(clock) });
        await routing.publish(tx);
      }
      return target;
    });
  }

  /** Throws `not_found`, `illegal_transition`. */
  async act(id: string, action: RolloutAction): Promise<DeploymentRow> {
    const { db, clock } = this.#options;
    await db.transaction('reactor.deployment.act', async (tx) => {
      const row = await mustFindDeployment(tx, id);
      if (action === 'promote') return this.#promote(tx, row, 'promoted by hand');
      if (action === 'abort') return this.#end(tx, row, 'aborted', 'aborted by hand');
      const state = action === 'pause' ? 'paused' : 'rolling';
      const moved =
        (action !== 'resume' || row.state === 'paused') &&
        (await moveDeployment(tx, id, { state, reason: `${state} by hand`, at: isoNow(clock) }));
      if (!moved)
        throw new CodedError('illegal_transition', `a deployment that is ${row.state} cannot ${action}`);
      // The time of a step stands still while it is paused.
      const passedMs = action === 'pause' ? clock.now() - row.step_started_ms : (row.step_paused_ms ?? 0);
      const startedMs = action === 'pause' ? row.step_started_ms : clock.now() - passedMs;
      await setStepClock(tx, id, { startedMs, pausedMs: action === 'pause' ? passedMs : null });
    });
    return mustFindDeployment(db, id);
  }
}

function closeStep(
  row: DeploymentRow,
  nowMs: number,
): { percent: number; startedMs: number; endedMs: number | null }[] {
  return historyOf(row).map((step) => ({ ...step, endedMs: step.endedMs ?? nowMs }));
}

function percentAt(row: DeploymentRow, step: number): number {
  return planOf(row).steps[step] ?? 100;
}
