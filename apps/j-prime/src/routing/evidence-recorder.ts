// What requests say about a rollout, gathered in memory and stored in the outbox: counts at an interval, a failure at once.
import type { Arm } from '@jarvis/contracts';
import { type Clock, isoNow, type Logger, type Loop, type Random, startLoop } from '@jarvis/runtime';
import type { Database } from '@jarvis/store';
import type { Trial } from '../models/fleet.ts';
import { addBroken, addEvidence, type Failure, type RequestCount } from '../store/outbox.ts';

const BROKEN_DETAIL_CHARS_MAX = 2000;

export interface EvidenceRecorderOptions {
  readonly db: Database;
  readonly flushIntervalMs: number;
  /** Something was stored. */
  readonly onStored: () => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

interface Count {
  readonly deploymentId: string;
  readonly arm: Arm;
  readonly step: number;
  count: number;
}

export class EvidenceRecorder {
  readonly #options: EvidenceRecorderOptions;
  readonly #loop: Loop;
  #counts = new Map<string, Count>();
  #failures: Failure[] = [];
  #unheardFailures = 0;

  constructor(options: EvidenceRecorderOptions) {
    this.#options = options;
    const { flushIntervalMs: intervalMs, clock, logger } = options;
    this.#loop = startLoop({ name: 'store evidence', intervalMs, clock, logger, run: () => this.#flush() });
  }

  /** Failures that were not acknowledged, as far as this process knows. */
  get unheardFailures(): number {
    return this.#unheardFailures;
  }

  /** The outbox holds so many failures: counted at start, and after each delivery. */
  heard(failuresInOutbox: number): void {
    this.#unheardFailures = failuresInOutbox + this.#failures.length;
  }

  request(trial: Trial, arm: Arm): void {
    this.#add({ deploymentId: trial.deploymentId, arm, step: trial.step, count: 1 });
  }

  failure(trial: Trial, arm: Arm, sessionHash: string): void {
    this.request(trial, arm);
    this.#unheardFailures += 1;
    this.#failures.push({
      evidence_id: this.#options.random.id('evidence'),
      kind: 'failed',
      deployment_id: trial.deploymentId,
      arm,
      observed_at: isoNow(this.#options.clock),
      weight: trial.weight,
      session_hash: sessionHash,
    });
    this.#loop.wake();
  }

  async broken(deploymentId: string, detail: string): Promise<void> {
    const { db, clock, random } = this.#options;
    await addBroken(db, {
      evidence_id: random.id('evidence'),
      kind: 'broken',
      deployment_id: deploymentId,
      arm: 'candidate',
      observed_at: isoNow(clock),
      detail: detail.slice(0, BROKEN_DETAIL_CHARS_MAX),
    });
    this.#options.onStored();
  }

  /** Stores what is in memory. */
  async stop(): Promise<void> {
    await this.#loop.stop();
    await this.#flush();
  }

  #add(more: Count): void {
    const key = `${more.deploymentId} ${more.arm} ${more.step}`;
    const known = this.#counts.get(key);
    if (known === undefined) this.#counts.set(key, more);
    else known.count += more.count;
  }

  async #flush(): Promise<void> {
    if (this.#counts.size === 0) return;
    const counts = this.#counts;
    const failures = this.#failures;
    this.#counts = new Map();
    this.#failures = [];
    try {
      await addEvidence(this.#options.db, this.#evidenceOf(counts), failures);
    } catch (error) {
      for (const count of counts.values()) this.#add(count);
      this.#failures = [...failures, ...this.#failures];
      throw error;
    }
    this.#options.onStored();
  }

  #evidenceOf(counts: ReadonlyMap<string, Count>): RequestCount[] {
    const { random, clock } = this.#options;
    return [...counts.values()].map(({ deploymentId, arm, step, count }) => ({
      evidence_id: random.id('evidence'),
      kind: 'requests',
      deployment_id: deploymentId,
      arm,
      step,
      count,
      observed_at: isoNow(clock),
    }));
  }
}
