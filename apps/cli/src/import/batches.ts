// Cuts what is sent into batches by what is in it. A batch is named by its content, so that JARVIS Core stores it once;
// and a file in which a row was added or changed has the same batches as before, but for the one around that row.
import { createHash } from 'node:crypto';
import { type Experience, MAX_EXPERIENCES_PER_BATCH } from '@jarvis/contracts';
import type { Mapped, Place } from './found.ts';

export const BATCH_ROWS_MAX = Math.min(2_000, MAX_EXPERIENCES_PER_BATCH);
/** Of JSON; a larger experience is a batch of its own. */
export const BATCH_CHARS_MAX = 2 * 1024 * 1024;
/** A batch ends after one row in so many, whichever those are. */
const ROWS_BETWEEN_CUTS = 512;

export interface Batch {
  /** The Idempotency-Key. */
  readonly id: string;
  readonly experiences: readonly Experience[];
  /** Of the last one. */
  readonly end: Place;
}

export class Batcher {
  #rows: Mapped[] = [];
  #chars = 0;

  /** The batches that are complete with this row, in order. */
  add(row: Mapped): Batch[] {
    const full = this.#rows.length === BATCH_ROWS_MAX || this.#chars + row.json.length > BATCH_CHARS_MAX;
    const before = full ? this.end() : [];
    this.#rows.push(row);
    this.#chars += row.json.length;
    return endsBatch(row) ? [...before, ...this.end()] : before;
  }

  /** The last one, unless it is empty. */
  end(): Batch[] {
    const rows = this.#rows;
    this.#rows = [];
    this.#chars = 0;
    const end = rows.at(-1);
    if (end === undefined) return [];
    const hash = createHash('sha256');
    for (const { json } of rows) hash.update(json).update('\n');
    const experiences = rows.map(({ experience }) => experience);
    return [{ id: `import-${hash.digest('hex')}`, experiences, end }];
  }
}

function endsBatch({ json }: Mapped): boolean {
  return createHash('sha256').update(json).digest().readUInt32BE(0) % ROWS_BETWEEN_CUTS === 0;
}
