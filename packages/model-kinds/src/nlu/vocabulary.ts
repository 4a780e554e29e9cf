// The features a model knows, and a text as a sparse vector over them: (1 + ln count) * idf, scaled to length 1.
// On disk: `features` hashes (int32), then as many idf (float32), little-endian.
import { countFeatures, type FeatureCounts } from './features.ts';

export interface Vocabulary {
  readonly size: number;
  /** Hash -> row of the weights. */
  readonly rowOf: ReadonlyMap<number, number>;
  /** [size] */
  readonly idf: Float32Array;
  readonly unknownIdf: number;
}

export interface SparseVector {
  readonly rows: Int32Array;
  readonly values: Float32Array;
}

/** @param hashes in the order of the weights' rows, @param idf [hashes.length] */
export function makeVocabulary(hashes: Int32Array, idf: Float32Array, unknownIdf: number): Vocabulary {
  const rowOf = new Map<number, number>();
  for (let row = 0; row < hashes.length; row++) rowOf.set(hashes[row]!, row);
  return { size: hashes.length, rowOf, idf, unknownIdf };
}

export function writeVocabulary(vocabulary: Vocabulary): Uint8Array {
  const bytes = Buffer.alloc(vocabulary.size * 8);
  for (const [hash, row] of vocabulary.rowOf) {
    bytes.writeInt32LE(hash, row * 4);
    bytes.writeFloatLE(vocabulary.idf[row]!, (vocabulary.size + row) * 4);
  }
  return bytes;
}

/** @throws {RangeError} when the bytes are not those of `features` features */
export function readVocabulary(bytes: Uint8Array, features: number, unknownIdf: number): Vocabulary {
  if (bytes.byteLength !== features * 8)
    throw new RangeError(`${bytes.byteLength} bytes for ${features} features`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const hashes = Int32Array.from({ length: features }, (_, row) => view.getInt32(row * 4, true));
  const idf = Float32Array.from({ length: features }, (_, row) =>
    view.getFloat32((features + row) * 4, true),
  );
  return makeVocabulary(hashes, idf, unknownIdf);
}

/** Unknown features have no row, but count in the length: a text full of them comes out short, hence uncertain. */
export function weigh(vocabulary: Vocabulary, { hashes, counts }: FeatureCounts): SparseVector {
  const rows = new Int32Array(hashes.length);
  const values = new Float32Array(hashes.length);
  let known = 0;
  let squares = 0;
  for (let i = 0; i < hashes.length; i++) {
    const row = vocabulary.rowOf.get(hashes[i]!);
    const idf = row === undefined ? vocabulary.unknownIdf : vocabulary.idf[row]!;
    const value = (1 + Math.log(counts[i]!)) * idf;
    squares += value * value;
    if (row === undefined) continue;
    rows[known] = row;
    values[known] = value;
    known += 1;
  }
  const scale = squares > 0 ? 1 / Math.sqrt(squares) : 0;
  for (let i = 0; i < known; i++) values[i]! *= scale;
  return { rows: rows.subarray(0, known), values: values.subarray(0, known) };
}

/** The vector a text is classified by. */
export function encode(vocabulary: Vocabulary, text: string): SparseVector {
  return weigh(vocabulary, countFeatures(text));
}
