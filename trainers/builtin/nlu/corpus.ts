// Rows as numbers: the vocabulary that training rows give, and every row as a sparse vector and the index of its label.
import { nlu, parseInput } from '@jarvis/model-kinds';
import { TrainerFailure, type TrainingRow } from '@jarvis/trainer-kit';

const ROWS_BETWEEN_BREATHS = 100;
/** From this many rows on, a feature has to be in two of them: one seen once is noise. Small sets can't spare any. */
const PRUNE_FROM_ROWS = 2000;
/** One byte each in the artifact, eight while training. */
const WEIGHTS_MAX = 12_000_000;

export interface Example {
  readonly vector: nlu.SparseVector;
  /** Index into the labels. */
  readonly label: number;
}

export interface Corpus {
  readonly labels: readonly string[];
  readonly vocabulary: nlu.Vocabulary;
  readonly train: readonly Example[];
  /** Rows whose label no training row has are left out: there is nothing right to answer. */
  readonly validation: readonly Example[];
}

type Breathe = () => Promise<void>;

interface CountedRow {
  readonly intent: string;
  readonly features: nlu.FeatureCounts;
}

function countRow(row: TrainingRow): CountedRow {
  try {
    const { text } = parseInput('nlu', row.input) as { text: string };
    const { intent } = nlu.nluOutputSchema.parse(row.expected_output);
    return { intent, features: nlu.countFeatures(text) };
  } catch (error) {
    throw new TrainerFailure(
      'dataset_corrupt',
      `row ${row.id} of the data set is no nlu row: ${String(error)}`,
    );
  }
}

async function countRows(rows: readonly TrainingRow[], breathe: Breathe): Promise<CountedRow[]> {
  const counted: CountedRow[] = [];
  for (const row of rows) {
    if (counted.length % ROWS_BETWEEN_BREATHS === 0) await breathe();
    counted.push(countRow(row));
  }
  return counted;
}

async function countDocuments(rows: readonly CountedRow[], breathe: Breathe): Promise<Map<number, number>> {
  const documents = new Map<number, number>();
  for (const [i, { features }] of rows.entries()) {
    if (i % ROWS_BETWEEN_BREATHS === 0) await breathe();
    for (const hash of features.hashes) documents.set(hash, (documents.get(hash) ?? 0) + 1);
  }
  return documents;
}

/** The features worth a row of weights, the commonest if there are too many, in the order of their hashes. */
function buildVocabulary(
  documents: ReadonlyMap<number, number>,
  rows: number,
  labels: number,
): nlu.Vocabulary {
  const documentsMin = rows < PRUNE_FROM_ROWS ? 1 : 2;
  const featuresMax = Math.floor(WEIGHTS_MAX / labels);
  const kept = [...documents]
    .filter(([, count]) => count >= documentsMin)
    .sort(([hashA, countA], [hashB, countB]) => countB - countA || hashA - hashB)
    .slice(0, featuresMax)
    .sort(([hashA], [hashB]) => hashA - hashB);
  const idf = (count: number) => Math.log((1 + rows) / (1 + count)) + 1;
  return nlu.makeVocabulary(
    Int32Array.from(kept, ([hash]) => hash),
    Float32Array.from(kept, ([, count]) => idf(count)),
    idf(1),
  );
}

/** @throws {TrainerFailure} `dataset_corrupt` at a row without text or intent */
export async function buildCorpus(
  rows: { readonly train: readonly TrainingRow[]; readonly validation: readonly TrainingRow[] },
  breathe: Breathe,
): Promise<Corpus> {
  const train = await countRows(rows.train, breathe);
  const validation = await countRows(rows.validation, breathe);
  const labels = [...new Set(train.map(({ intent }) => intent))].sort();
  const indexOf = new Map(labels.map((label, index) => [label, index]));
  const documents = await countDocuments(train, breathe);
  const vocabulary = buildVocabulary(documents, train.length, labels.length);

  async function examples(counted: readonly CountedRow[]): Promise<Example[]> {
    const result: Example[] = [];
    for (const [i, { intent, features }] of counted.entries()) {
      if (i % ROWS_BETWEEN_BREATHS === 0) await breathe();
      const label = indexOf.get(intent);
      if (label !== undefined) result.push({ vector: nlu.weigh(vocabulary, features), label });
    }
    return result;
  }

  return { labels, vocabulary, train: await examples(train), validation: await examples(validation) };
}
