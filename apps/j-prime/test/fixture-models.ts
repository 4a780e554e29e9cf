// Tiny real models: each answers every text with one intent, so that an answer tells which version gave it.
import { createHash } from 'node:crypto';
import type { ModelManifest } from '@jarvis/contracts';
import { nlu } from '@jarvis/model-kinds';

/** A text with this word makes a model fail that was made with `failsOnTrip`. */
export const TRIP_WORD = 'zyzzyva';

export interface FixtureModel {
  readonly version: string;
  readonly digest: string;
  /** SHA-256 -> bytes, model.json among them. */
  readonly blobs: ReadonlyMap<string, Buffer>;
}

export interface FixtureModelOptions {
  readonly version: string;
  readonly intent: string;
  /** The graph lacks a row that the vocabulary points at: ONNX Runtime refuses texts with the word. */
  readonly failsOnTrip?: boolean;
  /** The graph is no graph. */
  readonly graphIsGarbage?: boolean;
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

export function fixtureModel(options: FixtureModelOptions): FixtureModel {
  const vocabulary = vocabularyBytes(options.failsOnTrip === true ? 2 : 1);
  const graph =
    options.graphIsGarbage === true
      ? Buffer.from('this is no graph')
      : Buffer.from(
          nlu.writeNluGraph({
            features: 1,
            labels: 2,
            weights: new Float32Array(2),
            bias: Float32Array.of(4, 0),
          }),
        );
  const files = { 'model.onnx': graph, 'vocabulary.bin': vocabulary };
  const manifest: ModelManifest = {
    format: 1,
    kind: 'nlu',
    labels: [options.intent, 'other'],
    encoding: {
      scheme: nlu.NLU_SCHEME,
      features: vocabulary.byteLength / 8,
      unknown_idf: 1,
      oos_threshold: 0,
    },
    metrics: {},
    files: Object.fromEntries(
      Object.entries(files).map(([name, bytes]) => [
        name,
        { bytes: bytes.byteLength, sha256: sha256(bytes) },
      ]),
    ),
    lineage: {
      job_id: `job-${options.version}`,
      dataset_sha256: '0'.repeat(64),
      dataset_rows: 1,
      parent_version: null,
      code_sha256: '0'.repeat(64),
      config: {},
      seed: 1,
    },
  };
  const manifestBytes = Buffer.from(JSON.stringify(manifest));
  const blobs = [manifestBytes, ...Object.values(files)].map((bytes) => [sha256(bytes), bytes] as const);
  return { version: options.version, digest: sha256(manifestBytes), blobs: new Map(blobs) };
}

/** Row 0 belongs to a feature that no text has; row 1 to the trip word, and the graph has no row 1. */
function vocabularyBytes(features: number): Buffer {
  const tripHash = nlu.countFeatures(TRIP_WORD).hashes[0] ?? 0;
  const bytes = Buffer.alloc(features * 8);
  for (const [row, hash] of [tripHash + 1, tripHash].slice(0, features).entries()) {
    bytes.writeInt32LE(hash, row * 4);
    bytes.writeFloatLE(1, (features + row) * 4);
  }
  return bytes;
}
