// What the bench makes once and keeps, in folders that git ignores: a trained model, and the rivals' Python.
import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readLabelledTexts } from '../nlu/labelled-texts.ts';
import { trainOnce } from '../nlu/train-once.ts';

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
const CACHE = join(REPOSITORY, '.bench-cache', 'serving');
export const RIVALS_FOLDER = join(CACHE, 'python');
const DATA = resolve(REPOSITORY, '../shared/data/nlu/clinc150/full.jsonl.gz');
const EPOCHS = 8;

export function rivalsPython(): string {
  return join(RIVALS_FOLDER, 'bin', 'python');
}

export function haveRivals(): boolean {
  return existsSync(rivalsPython());
}

export interface BenchModel {
  /** The folder of the artifact. */
  readonly dir: string;
  /** Texts that it was not trained on. */
  readonly texts: readonly string[];
}

/** The built-in trainer's model of CLINC150, trained when it is not there yet. */
export async function trainedModel(): Promise<BenchModel> {
  if (!existsSync(DATA)) throw new Error(`the data set CLINC150 is not at ${DATA}`);
  const rows = await readLabelledTexts(DATA);
  const work = join(CACHE, 'model');
  const dir = join(work, 'artifact');
  if (!existsSync(dir)) {
    process.stderr.write(`training once, into ${dir}\n`);
    const fresh = `${work}.new`;
    await rm(fresh, { recursive: true, force: true });
    await mkdir(fresh, { recursive: true });
    await trainOnce(fresh, rows, { epochs: EPOCHS, seed: 1 });
    await rename(fresh, work);
  }
  return { dir, texts: rows.filter(({ split }) => split === 'test').map(({ text }) => text) };
}
