// The offline gates under way, apart from the judge: scoring may take minutes or fail, and no rollout waits for it.
//
//   due -> scored -> through, or rejected          no answer -> due again later -> after the last try rejected
import type { ModelType } from '@jarvis/contracts';
import { decideGateFailure } from '@jarvis/policy';
import { type Clock, isoNow, type Logger } from '@jarvis/runtime';
import type { Database, Transaction } from '@jarvis/store';
import type { Blobs } from '../registry/blobs.ts';
import type { RunFolder } from '../runs/run-folder.ts';
import {
  type DeploymentRow,
  listGating,
  moveDeployment,
  setGate,
  setGateRetry,
} from '../store/deployments.ts';
import { championOf, findVersion, type VersionRow } from '../store/versions.ts';
import { type GateResult, runGate, scoringProblem } from './gate.ts';

const NOTHING_TO_COMPARE = 'the first version of its kind: there is nothing to compare it with';
const IMPORTED = 'an imported model brings no held-out rows: the guards alone judge it';

export interface Through {
  readonly row: DeploymentRow;
  readonly champion: VersionRow | undefined;
  readonly reason: string;
}

export interface GatesOptions {
  readonly db: Database;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly blobs: Blobs;
  readonly folder: RunFolder;
  /** Begins the rollout of a candidate that has passed. */
  readonly begin: (tx: Transaction, through: Through) => Promise<void>;
  /** A gate has come to its end: there may be more to do. */
  readonly onEnd: () => void;
}

export class Gates {
  readonly #options: GatesOptions;
  /** One gate at a time for each kind: a newer candidate is compared with what the older one left. */
  readonly #running = new Map<ModelType, Promise<void>>();
  readonly #stopping = new AbortController();

  constructor(options: GatesOptions) {
    this.#options = options;
  }

  /** Starts the gates that are due and waits for none. */
  async look(): Promise<void> {
    const { db, clock } = this.#options;
    for (const row of await listGating(db, clock.now())) {
      const kind = row.model_type;
      if (this.#stopping.signal.aborted || this.#running.has(kind)) continue;
      this.#running.set(kind, this.#run(row));
    }
  }

  /** Ends the scoring under way; it is done again at the next start. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#running.values());
  }

  async #run(row: DeploymentRow): Promise<void> {
    const { logger, onEnd } = this.#options;
    const { deployment_id } = row;
    try {
      await this.#gate(row);
      if (!this.#stopping.signal.aborted) onEnd();
    } catch (error) {
      logger.error({ deployment_id, err: error }, 'what an offline gate found could not be stored');
    } finally {
      this.#running.delete(row.model_type);
    }
  }

  async #gate(row: DeploymentRow): Promise<void> {
    const { db, clock, begin } = this.#options;
    const candidate = await findVersion(db, row.model_type, row.model_version);
    const championName = await championOf(db, row.model_type);
    const champion = championName === null ? undefined : await findVersion(db, row.model_type, championName);
    if (candidate === undefined || champion === undefined || candidate.job_id === null)
      return db.transaction('reactor.deployment.begin', async (tx) => {
        if ((await championOf(tx, row.model_type)) === championName)
          await begin(tx, {
            row,
            champion,
            reason: champion === undefined ? NOTHING_TO_COMPARE : IMPORTED,
          });
      });
    const result = await this.#score({ row, candidate, champion, jobId: candidate.job_id });
    if (result === null) return;
    const { pass, reason } = result.decision;
    await db.transaction('reactor.deployment.gate', async (tx) => {
      // There is another champion by now: what was found says nothing about that one, and the gate is due again.
      if ((await championOf(tx, row.model_type)) !== championName) return;
      await setGate(tx, row.deployment_id, gateOf(result));
      if (pass) return begin(tx, { row, champion, reason });
      await moveDeployment(tx, row.deployment_id, { state: 'rejected', reason, at: isoNow(clock) });
    });
  }

  /** Null when there is no answer: noted, unless the scoring was ended because this service stops. */
  async #score(of: {
    row: DeploymentRow;
    candidate: VersionRow;
    champion: VersionRow;
    jobId: string;
  }): Promise<GateResult | null> {
    const { blobs, folder, logger } = this.#options;
    const { row, candidate, champion } = of;
    const { signal } = this.#stopping;
    try {
      return await runGate({ blobs, candidate, champion, dataset: folder.dataset(of.jobId), signal });
    } catch (error) {
      if (signal.aborted) return null;
      logger.warn({ deployment_id: row.deployment_id, err: error }, 'a candidate could not be scored');
      await this.#noteFailure(row, scoringProblem(error));
      return null;
    }
  }

  async #noteFailure(row: DeploymentRow, problem: string): Promise<void> {
    const { db, clock } = this.#options;
    const id = row.deployment_id;
    const failures = row.gate_failures + 1;
    const decision = decideGateFailure(failures, problem);
    const { reason } = decision;
    await db.transaction('reactor.deployment.gate_failure', async (tx) => {
      if (decision.go === 'reject')
        await moveDeployment(tx, id, { state: 'rejected', reason, at: isoNow(clock) });
      else await setGateRetry(tx, id, { failures, retryAtMs: clock.now() + decision.afterMs, reason });
    });
  }
}

function gateOf({ counts, decision }: GateResult): NonNullable<Parameters<typeof setGate>[2]> {
  return {
    rows: counts.rows,
    candidate_correct: counts.candidateCorrect,
    champion_correct: counts.championCorrect,
    candidate_only: counts.candidateOnly,
    champion_only: counts.championOnly,
    p_value: decision.pValue,
  };
}
