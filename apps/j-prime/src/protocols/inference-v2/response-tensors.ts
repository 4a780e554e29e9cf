// Predictions as tensors: those that were asked for, in JSON or as bytes behind it.
import { CodedError } from '@jarvis/contracts';
import type { Prediction, TensorSignature, TensorSpec } from '@jarvis/model-kinds';
import { writeBytesElements, writeFloats } from './binary.ts';
import type { InferRequest, InferResponse } from './messages.ts';

export interface WantedOutput {
  readonly spec: TensorSpec;
  readonly isBinary: boolean;
}

/** What a request asks for: all that there is, unless it names some. @throws {CodedError} `invalid_request` */
export function wantedOutputs(
  signature: TensorSignature,
  { outputs, parameters }: Pick<InferRequest, 'outputs' | 'parameters'>,
): WantedOutput[] {
  const isBinary = parameters?.binary_data_output ?? false;
  if ((outputs ?? []).length === 0) return signature.outputs.map((spec) => ({ spec, isBinary }));
  const wanted = new Map<string, WantedOutput>();
  for (const { name, parameters: own } of outputs ?? []) {
    const spec = signature.outputs.find((output) => output.name === name);
    const known = signature.outputs.map((output) => `"${output.name}"`).join(', ');
    if (spec === undefined)
      throw new CodedError('invalid_request', `there is no output "${name}"; this model has ${known}`);
    if (wanted.has(name)) throw new CodedError('invalid_request', `the output "${name}" is asked for twice`);
    wanted.set(name, { spec, isBinary: own?.binary_data ?? isBinary });
  }
  return [...wanted.values()];
}

export interface WrittenTensors {
  readonly outputs: InferResponse['outputs'];
  /** What follows the JSON; null: all of it is in the JSON. */
  readonly binary: Buffer | null;
}

export function writeOutputs(
  signature: TensorSignature,
  wanted: readonly WantedOutput[],
  predictions: readonly Prediction[],
): WrittenTensors {
  const rows = predictions.map((prediction) => signature.fromPrediction(prediction));
  const parts: Buffer[] = [];
  const outputs = wanted.map(({ spec, isBinary }) => {
    const { name, datatype, shape } = spec;
    const head = { name, datatype, shape: [rows.length, ...shape.slice(1)] };
    const cells = rows.map((row) => row[name]);
    const strings = cells.filter((cell) => typeof cell === 'string');
    const numbers = cells.flatMap((cell) => (cell instanceof Float32Array ? [...cell] : []));
    const data = datatype === 'BYTES' ? strings : numbers;
    if (!isBinary) return { ...head, data };
    const bytes = datatype === 'BYTES' ? writeBytesElements(strings) : writeFloats(numbers);
    parts.push(bytes);
    return { ...head, parameters: { binary_data_size: bytes.length } };
  });
  return { outputs, binary: parts.length === 0 ? null : Buffer.concat(parts) };
}
