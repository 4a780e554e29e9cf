// The nlu row of the table of kinds: {text} in, {intent} out.
import { CodedError, MAX_LABEL_CHARS, MAX_TEXT_CHARS } from '@jarvis/contracts';
import { z } from 'zod';
import { ArtifactError, type OpenedArtifact, requireFile } from '../artifact.ts';
import type { ModelKind, Prediction, Predictor } from '../model.ts';
import { openSession } from '../session.ts';
import { decide } from './decide.ts';
import { GRAPH_FILE, nluEncodingSchema, VOCABULARY_FILE } from './encoding.ts';
import { encode, readVocabulary, type SparseVector, type Vocabulary } from './vocabulary.ts';

const nluInputSchema = z.object({ text: z.string().min(1).max(MAX_TEXT_CHARS) });
export const nluOutputSchema = z.object({ intent: z.string().min(1).max(MAX_LABEL_CHARS) });

// A run of the graph holds texts x features x labels floats: 16,384 cells and 150 labels are 10 MB.
const CELLS_PER_RUN_MAX = 16_384;

function parseInput(input: unknown): z.infer<typeof nluInputSchema> {
  const parsed = nluInputSchema.safeParse(input);
  if (parsed.success) return parsed.data;
  const reason = parsed.error.issues[0]?.message ?? 'not an object';
  throw new CodedError(
    'invalid_request',
    `an nlu input is {"text": 1 to ${MAX_TEXT_CHARS} characters}: ${reason}`,
  );
}

function isCorrect(output: Record<string, unknown>, expectedOutput: Record<string, unknown>): boolean {
  return typeof output['intent'] === 'string' && output['intent'] === expectedOutput['intent'];
}

/** Neighbours in one run for as long as the padded batch stays below the limit. */
function batches(vectors: readonly SparseVector[]): SparseVector[][] {
  const result: SparseVector[][] = [];
  let batch: SparseVector[] = [];
  let width = 1;
  for (const vector of vectors) {
    const wider = Math.max(width, vector.rows.length);
    if (batch.length > 0 && (batch.length + 1) * wider > CELLS_PER_RUN_MAX) {
      result.push(batch);
      batch = [];
      width = 1;
    }
    batch.push(vector);
    width = Math.max(width, vector.rows.length);
  }
  if (batch.length > 0) result.push(batch);
  return result;
}

/** [n, k] with k the longest of the batch; short vectors are padded with row 0 of value 0. */
function pad(batch: readonly SparseVector[]) {
  const width = batch.reduce((widest, vector) => Math.max(widest, vector.rows.length), 1);
  const rows = new Int32Array(batch.length * width);
  const values = new Float32Array(batch.length * width);
  for (const [i, vector] of batch.entries()) {
    rows.set(vector.rows, i * width);
    values.set(vector.values, i * width);
  }
  return { rows, values, dims: [batch.length, width] };
}

function openVocabulary(artifact: OpenedArtifact): { vocabulary: Vocabulary; threshold: number } {
  const encoding = nluEncodingSchema.safeParse(artifact.manifest.encoding);
  if (!encoding.success) {
    const reason = encoding.error.issues[0]?.message ?? '';
    throw new ArtifactError(
      'artifact_unsupported',
      `model.json has an encoding that is not known here: ${reason}`,
    );
  }
  const bytes = requireFile(artifact, VOCABULARY_FILE);
  const { features, unknown_idf, oos_threshold } = encoding.data;
  try {
    return { vocabulary: readVocabulary(bytes, features, unknown_idf), threshold: oos_threshold };
  } catch (error) {
    throw new ArtifactError('artifact_corrupt', `${VOCABULARY_FILE}: ${String(error)}`, { cause: error });
  }
}

async function open(artifact: OpenedArtifact): Promise<Predictor> {
  const { labels } = artifact.manifest;
  const { vocabulary, threshold } = openVocabulary(artifact);
  const session = await openSession(GRAPH_FILE, requireFile(artifact, GRAPH_FILE));

  async function predictBatch(batch: readonly SparseVector[]): Promise<Prediction[]> {
    const { rows, values, dims } = pad(batch);
    const results = await session.run({
      rows: session.int32(rows, dims),
      values: session.float32(values, dims),
    });
    const probabilities = results['probabilities']?.data;
    if (!(probabilities instanceof Float32Array) || probabilities.length !== batch.length * labels.length) {
      throw new ArtifactError(
        'artifact_corrupt',
        `${GRAPH_FILE} does not answer with one probability a label`,
      );
    }
    return batch.map((_, i) => {
      const { intent, confidence } = decide(labels, probabilities, threshold, i * labels.length);
      return { output: { intent }, confidence };
    });
  }

  return {
    async predict(inputs) {
      const vectors = inputs.map((input) => encode(vocabulary, parseInput(input).text));
      const predictions: Prediction[] = [];
      for (const batch of batches(vectors)) predictions.push(...(await predictBatch(batch)));
      return predictions;
    },
    dispose: () => session.dispose(),
  };
}

export const nluKind: ModelKind = { parseInput, isCorrect, open };
