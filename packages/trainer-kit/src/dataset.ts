// The frozen data set: NDJSON whose SHA-256 the job names. Rows held out for the gate don't leave this file.
import { readFile } from 'node:fs/promises';
import { type DatasetRow, datasetRowSchema, type TrainerJob } from '@jarvis/contracts';
import { sha256Hex } from '@jarvis/model-kinds';
import { TrainerFailure } from './failure.ts';

const ROWS_BETWEEN_BREATHS = 500;

export type TrainingRow = Omit<DatasetRow, 'split'>;

export interface Dataset {
  readonly train: readonly TrainingRow[];
  /** For thresholds and early stopping; empty when the set marks none. */
  readonly validation: readonly TrainingRow[];
}

type DatasetOfJob = TrainerJob['dataset'];

async function readVerified({ path, sha256 }: DatasetOfJob): Promise<string> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw new TrainerFailure('dataset_unreadable', `${path} can't be read: ${String(error)}`, {
      cause: error,
    });
  }
  const got = sha256Hex(bytes);
  if (got !== sha256)
    throw new TrainerFailure('dataset_corrupt', `${path} has SHA-256 ${got}, the job says ${sha256}`);
  return bytes.toString('utf8');
}

function parseRow(line: string, number: number): DatasetRow {
  try {
    return datasetRowSchema.parse(JSON.parse(line));
  } catch (error) {
    throw new TrainerFailure('dataset_corrupt', `line ${number} of the data set is no row: ${String(error)}`);
  }
}

/**
 * @param breathe called every few hundred rows, so that the process hears its signals
 * @throws {TrainerFailure} `dataset_unreadable`, `dataset_corrupt` (digest, row or count), `dataset_empty`
 */
export async function readDataset(dataset: DatasetOfJob, breathe: () => Promise<void>): Promise<Dataset> {
  const text = await readVerified(dataset);
  const train: TrainingRow[] = [];
  const validation: TrainingRow[] = [];
  let count = 0;
  for (const line of text.split('\n')) {
    if (line.trim() === '') continue;
    count += 1;
    if (count % ROWS_BETWEEN_BREATHS === 0) await breathe();
    const { split, ...row } = parseRow(line, count);
    if (split === 'train') train.push(row);
    else if (split === 'validation') validation.push(row);
  }
  if (count !== dataset.rows) {
    throw new TrainerFailure(
      'dataset_corrupt',
      `the data set has ${count} rows, the job says ${dataset.rows}`,
    );
  }
  if (train.length === 0) throw new TrainerFailure('dataset_empty', 'the data set has no row to train on');
  return { train, validation };
}
