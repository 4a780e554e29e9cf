// Shadow traffic: while a rollout is under way the version that did not serve a request is asked the same, behind the
// answer, and nobody gets what it says. Where the two differ, the pair is kept for whoever later says what was right.
//
//   answer of one arm -> client            within the budget: input -> other arm -> same: counted | other: a pair | failed
import { isDeepStrictEqual } from 'node:util';
import { type Arm, isCodedError, MAX_PAIR_OUTPUT_CHARS } from '@jarvis/contracts';
import type { Clock, Logger, Random } from '@jarvis/runtime';
import type { Serving, Trial } from '../models/fleet.ts';
import type { ServedVersion } from '../models/served-version.ts';
import type { EvidenceRecorder } from './evidence-recorder.ts';
import { isTold } from './told-seldom.ts';

/** At a time: more would wait for the processor that clients need. */
const RUNNING_MAX = 4;

export interface ShadowOptions {
  readonly evidence: EvidenceRecorder;
  /** ROLLOUT_SHADOW_SHARE: the part of the requests of a rollout that is answered twice, 0 to 1. */
  readonly share: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export interface Answered {
  readonly trial: Trial;
  readonly arm: Arm;
  readonly input: Record<string, unknown>;
  readonly output: Record<string, unknown>;
}

export interface ShadowCounts {
  answered: number;
  differed: number;
  failed: number;
  /** Not asked, because too many were under way or too many pairs wait for the judge. */
  skipped: number;
}

export class Shadow {
  readonly #options: ShadowOptions;
  readonly counts: ShadowCounts = { answered: 0, differed: 0, failed: 0, skipped: 0 };
  #running = 0;
  #failuresLogged = 0;

  constructor(options: ShadowOptions) {
    this.#options = options;
  }

  /** Asks the other version behind the answer, if the budget has it. The pair's id; null: this one is not answered twice. */
  begin(serving: Serving, answered: Answered): string | null {
    const { evidence, random, share } = this.#options;
    const other = answered.arm === 'stable' ? answered.trial.candidate : serving.stable;
    if (other === null || other.state !== 'ready' || random.unit() >= share) return null;
    if (this.#running >= RUNNING_MAX || evidence.isFull) {
      this.counts.skipped += 1;
      return null;
    }
    const pairId = random.id('pair');
    this.#running += 1;
    // After the answer is on its way.
    setImmediate(() => void this.#ask(other, pairId, answered).finally(() => (this.#running -= 1)));
    return pairId;
  }

  async #ask(other: ServedVersion, pairId: string, answered: Answered): Promise<void> {
    const { evidence } = this.#options;
    const { trial, arm, output } = answered;
    // It may have been taken out of service meanwhile.
    if (other.state !== 'ready') return;
    const shadowArm: Arm = arm === 'stable' ? 'candidate' : 'stable';
    try {
      const { output: shadowOutput } = await other.predict(answered.input, shadowArm);
      const differs = !isDeepStrictEqual(output, shadowOutput);
      this.counts.answered += 1;
      if (differs) this.counts.differed += 1;
      evidence.shadowed(trial, shadowArm, differs ? 'differed' : 'same');
      if (!differs || tooLarge(output) || tooLarge(shadowOutput)) return;
      const [stable, candidate] = arm === 'stable' ? [output, shadowOutput] : [shadowOutput, output];
      evidence.differed(trial, arm, { pairId, stable, candidate });
    } catch (error) {
      // What one version calls no input of its kind, both do; and a full queue is nobody's fault.
      if (isCodedError(error, 'invalid_request') || isCodedError(error, 'overloaded')) return;
      this.counts.failed += 1;
      evidence.shadowed(trial, shadowArm, 'failed');
      this.#logFailure(other, error);
    }
  }

  #logFailure(other: ServedVersion, error: unknown): void {
    this.#failuresLogged += 1;
    const n = this.#failuresLogged;
    if (!isTold(n)) return;
    this.#options.logger.warn({ ...other.name, failures: n, err: error }, 'failed in the shadow');
  }
}

function tooLarge(output: Record<string, unknown>): boolean {
  return JSON.stringify(output).length > MAX_PAIR_OUTPUT_CHARS;
}
