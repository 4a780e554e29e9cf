// The tensors that a kind takes and answers in the Open Inference Protocol v2. The first dimension is always the rows of
// the request: each row is one input of the kind, and one prediction.
import { CodedError } from '@jarvis/contracts';
import type { Prediction } from './model.ts';

export interface TensorSpec {
  readonly name: string;
  readonly datatype: 'BYTES' | 'FP32';
  /** -1 stands for the rows of the request. BYTES has no other dimension: a text, a picture or a sound is one element. */
  readonly shape: readonly [-1, ...number[]];
}

/** What one row of a tensor holds: an element of BYTES (a string when it came as JSON), or the numbers of a row. */
export type Cell = string | Uint8Array | Float32Array;

export interface TensorSignature {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  /** @param row a cell for each input, by name @throws {CodedError} `invalid_request` */
  toInput(row: Readonly<Record<string, Cell>>): Record<string, unknown>;
  /** A cell for each output, by name. */
  fromPrediction(prediction: Prediction): Readonly<Record<string, string | Float32Array>>;
}

/** The text in a cell of BYTES. @throws {CodedError} `invalid_request` when it is no UTF-8 */
export function textOf(name: string, cell: Cell | undefined): string {
  if (typeof cell === 'string') return cell;
  try {
    if (cell instanceof Uint8Array)
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(cell);
  } catch {
    // Said below.
  }
  throw new CodedError('invalid_request', `${name}: an element is not text in UTF-8`);
}
