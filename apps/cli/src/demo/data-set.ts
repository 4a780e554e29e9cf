// The commands that the demo replays: JSON lines of {text, label, split}, plain or gzipped, and the seed phrases.
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { OUT_OF_SCOPE_INTENT } from '@jarvis/contracts';
import { CommandError } from '../exit.ts';
import type { Seeded } from './seeded.ts';

export interface Utterance {
  readonly text: string;
  readonly label: string;
}

export interface DemoData {
  /** What the baseline is made from. */
  readonly seed: readonly Utterance[];
  /** What the days bring. No text twice, none of the seed's. */
  readonly pool: readonly Utterance[];
  /** Held out: only ever asked, never learned from. */
  readonly test: readonly Utterance[];
}

const SHIPPED = new URL('../../../../data/assistant-commands/', import.meta.url);
const SEED_PHRASES_PER_INTENT = 3;
const SEED_PHRASES_OUT_OF_SCOPE = 8;
const TEST_ROWS_MAX = 1_500;
const POOL_MIN = 200;
const INTENTS_MIN = 4;
const TEST_MIN = 50;

/** Throws CommandError with file and line of what is wrong. */
export async function loadDemoData(file: string | null, random: Seeded): Promise<DemoData> {
  const path = file ?? fileURLToPath(new URL('commands.jsonl', SHIPPED));
  const rows = await readRows(path);
  const test = rows.filter((row) => row.split === 'test');
  const train = distinct(rows.filter((row) => row.split === 'train'));
  const seed =
    file === null
      ? await readRows(fileURLToPath(new URL('seed.jsonl', SHIPPED)))
      : pickSeed(train, random.fork('seed phrases'));
  const taken = new Set(seed.map((row) => keyOf(row.text)));
  const data = {
    seed: seed.map(bare),
    pool: train.filter((row) => !taken.has(keyOf(row.text))).map(bare),
    test: random.fork('test sample').shuffled(test).slice(0, TEST_ROWS_MAX).map(bare),
  };
  refuseTooSmall(path, data);
  return data;
}

interface Row extends Utterance {
  readonly split: string;
}

async function readRows(path: string): Promise<Row[]> {
  const bytes = await readFile(path).catch((error: unknown) => {
    throw new CommandError(`cannot read the data set ${path}: ${(error as Error).message}`);
  });
  const text = path.endsWith('.gz') ? unzip(path, bytes) : bytes.toString('utf8');
  return text
    .split('\n')
    .flatMap((line, i) => (line.trim() === '' ? [] : [parseRow(line, `${path}:${i + 1}`)]));
}

function unzip(path: string, bytes: Buffer): string {
  try {
    return gunzipSync(bytes).toString('utf8');
  } catch (error) {
    throw new CommandError(`${path} is no gzip file: ${(error as Error).message}`);
  }
}

function parseRow(line: string, where: string): Row {
  let value: Partial<Record<string, unknown>> | null;
  try {
    value = JSON.parse(line) as typeof value;
  } catch {
    throw new CommandError(
      `${where} is not JSON; a line has to be {"text", "label", "split": "train" or "test"}`,
    );
  }
  const { text, label, split = '' } = value ?? {};
  if (
    typeof text === 'string' &&
    text !== '' &&
    typeof label === 'string' &&
    label !== '' &&
    typeof split === 'string'
  )
    return { text, label, split };
  throw new CommandError(`${where} has to have "text" and "label", both of them texts`);
}

/** The same command whatever its case and spacing: the system keeps one label for it. */
function keyOf(text: string): string {
  return text.toLowerCase().replaceAll(/\s+/g, ' ').trim();
}

function distinct(rows: readonly Row[]): Row[] {
  return [...new Map(rows.map((row) => [keyOf(row.text), row])).values()];
}

function bare({ text, label }: Row): Utterance {
  return { text, label };
}

/** The shortest of each intent: short phrases are the plain ones. */
function pickSeed(train: readonly Row[], random: Seeded): Row[] {
  const byLabel = Map.groupBy(random.shuffled(train), (row) => row.label);
  return [...byLabel].flatMap(([label, rows]) =>
    rows
      .toSorted((a, b) => a.text.length - b.text.length)
      .slice(0, label === OUT_OF_SCOPE_INTENT ? SEED_PHRASES_OUT_OF_SCOPE : SEED_PHRASES_PER_INTENT),
  );
}

function refuseTooSmall(path: string, { pool, test }: DemoData): void {
  const intents = new Set(pool.map((row) => row.label));
  intents.delete(OUT_OF_SCOPE_INTENT);
  if (pool.length >= POOL_MIN && intents.size >= INTENTS_MIN && test.length >= TEST_MIN) return;
  throw new CommandError(
    `${path} is too small for three days: ${pool.length} rows to learn from, ${intents.size} intents and ${test.length} test rows; ` +
      `it takes ${POOL_MIN} with "split": "train", ${INTENTS_MIN} intents and ${TEST_MIN} with "split": "test"`,
  );
}
