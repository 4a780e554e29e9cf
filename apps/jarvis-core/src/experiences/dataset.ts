// Freezes what a job learns from: an immutable NDJSON file named by its SHA-256, the newest part of what is new held out
// for the gate.
import { createHash } from 'node:crypto';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { CodedError, type DatasetRow, type ModelType } from '@jarvis/contracts';
import { durably } from '@jarvis/failpoints';
import { gateRows } from '@jarvis/policy';
import { type Random, syncFolder } from '@jarvis/runtime';
import type { Database } from '@jarvis/store';
import { measureTrainable, readTrainable, type TrainableRow } from '../store/experiences.ts';

const PAGE_ROWS = 1_000;

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
  const firstHeldOut = set.fresh - gateRows({ ...set, percent: options.gatePercent });
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const partial = join(folder, `.${options.random.id('partial')}`);
  const file = await open(partial, 'wx', 0o600);
  try {
    const hash = createHash('sha256');
    let fresh = 0;
    let after = 0;
    for (let rows = 0; rows < total;) {
      const page = await readTrainable(db, { modelType, after, set, limit: PAGE_ROWS });
      if (page.length === 0)
        throw new Error(`the experiences changed while they were frozen: ${rows} of ${total} rows`);
      const lines = page.map((row) => {
        const mayBeHeldOut = row.source !== 'seed' && row.fresh;
        const split = mayBeHeldOut && fresh >= firstHeldOut ? 'gate' : 'train';
        if (mayBeHeldOut) fresh += 1;
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
    await durably('core.dataset.rename', () => rename(partial, datasetPath(folder, sha256)));
    await syncFolder(folder);
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
