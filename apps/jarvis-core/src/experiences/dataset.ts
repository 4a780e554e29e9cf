// Freezes what a job learns from: an immutable NDJSON file named by its SHA-256, the newest part held out for the gate.
import { createHash } from 'node:crypto';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { CodedError, type DatasetRow, type ModelType } from '@jarvis/contracts';
import type { Random } from '@jarvis/runtime';
import type { Database } from '@jarvis/store';
import { measureTrainable, readTrainable, type TrainableRow } from '../store/experiences.ts';

const PAGE_ROWS = 1_000;
/** With fewer labelled inputs than this, holding some out would cost more than the gate could tell. */
const GATE_MIN_LABELLED = 50;

export interface FrozenDataset {
  readonly sha256: string;
  readonly rows: number;
  readonly through: number;
}

export interface FreezeOptions {
  readonly db: Database;
  readonly folder: string;
  readonly modelType: ModelType;
  readonly gatePercent: number;
  readonly random: Random;
}

export function datasetPath(folder: string, sha256: string): string {
  return join(folder, `${sha256}.ndjson`);
}

/** Throws `dataset_empty` when nothing of this kind has an expected output. */
export async function freezeDataset(options: FreezeOptions): Promise<FrozenDataset> {
  const { db, modelType, folder } = options;
  const set = await measureTrainable(db, modelType);
  const total = set.labelled + set.seeds;
  if (total === 0)
    throw new CodedError(
      'dataset_empty',
      `no ${modelType} experience has an expected output yet: there is nothing to learn from`,
    );
  const heldOut =
    set.labelled >= GATE_MIN_LABELLED ? Math.round((set.labelled * options.gatePercent) / 100) : 0;
  const firstHeldOut = set.labelled - heldOut;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const partial = join(folder, `.${options.random.id('partial')}`);
  const file = await open(partial, 'wx', 0o600);
  try {
    const hash = createHash('sha256');
    let labelled = 0;
    let after = 0;
    for (let rows = 0; rows < total;) {
      const page = await readTrainable(db, { modelType, after, through: set.through, limit: PAGE_ROWS });
      if (page.length === 0)
        throw new Error(`the experiences changed while they were frozen: ${rows} of ${total} rows`);
      const lines = page.map((row) => {
        const split = row.source !== 'seed' && labelled >= firstHeldOut ? 'gate' : 'train';
        if (row.source !== 'seed') labelled += 1;
        return `${JSON.stringify(datasetRow(row, split))}\n`;
      });
      const bytes = Buffer.from(lines.join(''));
      hash.update(bytes);
      await file.write(bytes);
      rows += page.length;
      after = page.at(-1)?.seq ?? after;
    }
    await file.sync();
    const sha256 = hash.digest('hex');
    await rename(partial, datasetPath(folder, sha256));
    return { sha256, rows: total, through: set.through };
  } finally {
    await file.close();
    await rm(partial, { force: true });
  }
}

function datasetRow(row: TrainableRow, split: DatasetRow['split']): DatasetRow {
  return {
    id: String(row.seq),
    split,
    input: row.experience.input,
    expected_output: row.experience.expected_output ?? {},
  };
}
