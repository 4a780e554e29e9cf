// What requests say about a rollout, gathered in memory and stored in the outbox: counts at an interval, a failure at once.
import type { Arm, Evidence } from '@jarvis/contracts';
import { type Clock, isoNow, type Logger, type Loop, type Random, startLoop } from '@jarvis/runtime';
import type { Database } from '@jarvis/store';
import type { Trial } from '../models/fleet.ts';
import {
  addBroken,
  addEvidence,
  type CountRow,
  type EventRow,
  type RequestCount,
  type ShadowCount,
} from '../store/outbox.ts';

const BROKEN_DETAIL_CHARS_MAX = 2000;
/** Slow answers and pairs that wait for the judge: beyond this no more are noted. What was noted is enough to tell. */
const OPTIONAL_MAX = 10_000;

export interface EvidenceRecorderOptions {
  readonly db: Database;
  readonly flushIntervalMs: number;
  /** Something was stored. */
  readonly onStored: () => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** What an outbox holds that the judge has not acknowledged. */
export interface Unheard {
  readonly failures: number;
  /** Slow answers and pairs. */
  readonly optional: number;
}

/** Counts of a rollout, an arm and a step; `shadow`: of what that arm was asked in the shadow. */
interface Count {
  readonly deploymentId: string;
  readonly arm: Arm;
  readonly step: number;
  readonly shadow: boolean;
  count: number;
  failures: number;
  differed: number;
}

export type ShadowOutcome = 'same' | 'differed' | 'failed';

export class EvidenceRecorder {
  readonly #options: EvidenceRecorderOptions;
  readonly #loop: Loop;
  #counts = new Map<string, Count>();
  #events: EventRow[] = [];
  #unheardFailures = 0;
  #unheardOptional = 0;

  constructor(options: EvidenceRecorderOptions) {
    this.#options = options;
    const { flushIntervalMs: intervalMs, clock, logger } = options;
    this.#loop = startLoop({ name: 'store evidence', intervalMs, clock, logger, run: () => this.#flush() });
  }

  /** Failures that were not acknowledged, as far as this process knows. */
  get unheardFailures(): number {
    return this.#unheardFailures;
  }

  /** So much that is not needed waits that no more is noted. */
  get isFull(): boolean {
    return this.#unheardOptional >= OPTIONAL_MAX;
  }

  /** The outbox holds so much: counted at start, and after each delivery. */
  heard({ failures, optional }: Unheard): void {
    const inMemory = this.#events.filter((event) => event.kind === 'failed').length;
    this.#unheardFailures = failures + inMemory;
    this.#unheardOptional = optional + this.#events.length - inMemory;
  }

  request(trial: Trial, arm: Arm): void {
    this.#add({ ...countOf(trial, arm), count: 1 });
  }

  failure(trial: Trial, arm: Arm, sessionHash: string): void {
    this.request(trial, arm);
    this.#unheardFailures += 1;
    this.#events.push({ ...this.#fieldsOf(trial, arm), kind: 'failed', ...errorOf(trial, sessionHash) });
    this.#loop.wake();
  }

  slow(trial: Trial, arm: Arm, sessionHash: string): void {
    if (this.isFull) return;
    this.#unheardOptional += 1;
    this.#events.push({ ...this.#fieldsOf(trial, arm), kind: 'slow', ...errorOf(trial, sessionHash) });
  }

  /** One input that `arm` was asked in the shadow. */
  shadowed(trial: Trial, arm: Arm, outcome: ShadowOutcome): void {
    this.#add({
      ...countOf(trial, arm),
      shadow: true,
      count: 1,
      failures: outcome === 'failed' ? 1 : 0,
      differed: outcome === 'differed' ? 1 : 0,
    });
  }

  /** What both answered to one input, which `arm` served. */
  differed(
    trial: Trial,
    arm: Arm,
    pair: { pairId: string; stable: Record<string, unknown>; candidate: Record<string, unknown> },
  ): void {
    this.#unheardOptional += 1;
    this.#events.push({
      ...this.#fieldsOf(trial, arm),
      kind: 'differed',
      pair_id: pair.pairId,
      stable_output: pair.stable,
      candidate_output: pair.candidate,
    });
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

  #fieldsOf(trial: Trial, arm: Arm): Pick<Evidence, 'evidence_id' | 'deployment_id' | 'arm' | 'observed_at'> {
    const { random, clock } = this.#options;
    return {
      evidence_id: random.id('evidence'),
      deployment_id: trial.deploymentId,
      arm,
      observed_at: isoNow(clock),
    };
  }

  #add(more: Count): void {
    const key = `${more.deploymentId} ${more.arm} ${more.step} ${more.shadow}`;
    const known = this.#counts.get(key);
    if (known === undefined) {
      this.#counts.set(key, more);
      return;
    }
    known.count += more.count;
    known.failures += more.failures;
    known.differed += more.differed;
  }

  async #flush(): Promise<void> {
    if (this.#counts.size === 0 && this.#events.length === 0) return;
    const counts = this.#counts;
    const events = this.#events;
    this.#counts = new Map();
    this.#events = [];
    try {
      await addEvidence(this.#options.db, this.#evidenceOf(counts), events);
    } catch (error) {
      for (const count of counts.values()) this.#add(count);
      this.#events = [...events, ...this.#events];
      throw error;
    }
    this.#options.onStored();
  }

  #evidenceOf(counts: ReadonlyMap<string, Count>): CountRow[] {
    const { random, clock } = this.#options;
    return [...counts.values()].map((counted) => {
      const { deploymentId: deployment_id, arm, step, count, failures, differed } = counted;
      const evidence_id = random.id('evidence');
      const fields = { evidence_id, deployment_id, arm, step, count, observed_at: isoNow(clock) };
      return counted.shadow
        ? ({ ...fields, kind: 'shadowed', failures, differed } satisfies ShadowCount)
        : ({ ...fields, kind: 'requests' } satisfies RequestCount);
    });
  }
}

function countOf({ deploymentId, step }: Trial, arm: Arm): Count {
  return { deploymentId, arm, step, shadow: false, count: 0, failures: 0, differed: 0 };
}

function errorOf({ weight }: Trial, sessionHash: string): { weight: number; session_hash: string } {
  return { weight, session_hash: sessionHash };
}
