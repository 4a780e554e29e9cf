// What trainings need in truth. Who said what a job needs was right, or thought of half of it, or of twice as much; of
// others JARVIS Core has to learn it from their kind. Nobody but the trainers knows.
import { BYTES_PER_GB, type ModelType } from '@jarvis/contracts';
import type { Chance } from '../kernel/chance.ts';
import type { Journal } from '../kernel/journal.ts';
import type { RunRow } from '../reactor/tables.ts';
import { TRUE_NEED_BYTES_MAX } from '../scenario.ts';

/** A right estimate leaves some room: who comes near its limit is stopped. */
const RIGHT_SHARE = 0.85;
const WRONG_SHARE = 0.12;
const OF_KIND_GB: Readonly<Record<ModelType, number>> = {
  voice: 1,
  nlu: 1.6,
  vision: 4,
  embedding: 3,
  llm: 9,
};
const DIFFERS_MIN = 0.9;
const DIFFERS_MAX = 1.1;

export class TrueNeeds {
  readonly #options: { readonly chance: Chance; readonly journal: Journal };
  readonly #bytes = new Map<string, number>();

  constructor(options: { readonly chance: Chance; readonly journal: Journal }) {
    this.#options = options;
  }

  /** @param given somebody said what it needs; drawn when its first run begins, and kept */
  bytesOf(run: RunRow, { given, modelType }: { given: boolean; modelType: ModelType }): number {
    const known = this.#bytes.get(run.jobId);
    if (known !== undefined) return known;
    const bytes = given
      ? run.needBytes * this.#shareOfEstimate(run.jobId)
      : this.#ofKind(run.jobId, modelType);
    const drawn = Math.round(Math.min(TRUE_NEED_BYTES_MAX, bytes));
    this.#bytes.set(run.jobId, drawn);
    return drawn;
  }

  #shareOfEstimate(jobId: string): number {
    const { chance, journal } = this.#options;
    const drawn = chance.unit();
    if (drawn >= 2 * WRONG_SHARE) return RIGHT_SHARE;
    const isHalf = drawn < WRONG_SHARE;
    journal.fault(isHalf ? 'estimate was half' : 'estimate was double', jobId);
    return isHalf ? RIGHT_SHARE * 2 : RIGHT_SHARE / 2;
  }

  #ofKind(jobId: string, modelType: ModelType): number {
    this.#options.journal.fault('need had to be learned', jobId);
    return OF_KIND_GB[modelType] * BYTES_PER_GB * this.#options.chance.between(DIFFERS_MIN, DIFFERS_MAX);
  }
}
