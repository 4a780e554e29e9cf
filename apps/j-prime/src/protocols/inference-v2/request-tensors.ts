// The tensors of a request as inputs of the kind: names, datatypes and shapes are held against the kind's signature, the
// data is taken from the JSON or from the bytes behind it, and then turned from tensors into rows.
import { CodedError } from '@jarvis/contracts';
import type { Cell, TensorSignature, TensorSpec } from '@jarvis/model-kinds';
import { readBytesElements, readFloats, wrong } from './binary.ts';
import type { RequestTensor } from './messages.ts';

/** Inputs of one request. They are predicted side by side, and each waits for the last. */
export const ROWS_PER_REQUEST_MAX = 256;

/** @param binary what follows the JSON of the body @throws {CodedError} `invalid_request` */
export function readInputs(
  signature: TensorSignature,
  tensors: readonly RequestTensor[],
  binary: Buffer,
): Record<string, unknown>[] {
  const rows = rowsOf(signature, tensors);
  const columns = new Map<string, readonly Cell[]>();
  for (const { tensor, bytes } of withBinary(tensors, binary))
    columns.set(tensor.name, cellsOf(specOf(signature, tensor.name), tensor, bytes));
  return Array.from({ length: rows }, (_, i) => {
    const row = Object.fromEntries([...columns].map(([name, cells]) => [name, cells[i]!]));
    return signature.toInput(row);
  });
}

/** How many rows all of them have. */
function rowsOf(signature: TensorSignature, tensors: readonly RequestTensor[]): number {
  const seen = new Set<string>();
  for (const { name } of tensors) {
    if (seen.has(name)) throw wrong(name, 'it is there twice');
    seen.add(name);
  }
  const missing = signature.inputs.find(({ name }) => !seen.has(name));
  const counts = tensors.map((tensor) => checkedRows(specOf(signature, tensor.name), tensor));
  if (missing !== undefined)
    throw new CodedError('invalid_request', `the input "${missing.name}" is missing`);
  const [rows = 0] = counts;
  if (counts.some((count) => count !== rows))
    throw new CodedError('invalid_request', `the inputs differ in their rows: ${counts.join(', ')}`);
  return rows;
}

function specOf(signature: TensorSignature, name: string): TensorSpec {
  const spec = signature.inputs.find((input) => input.name === name);
  if (spec !== undefined) return spec;
  const known = signature.inputs.map((input) => `"${input.name}"`).join(', ');
  throw wrong(name, `there is no such input; this model takes ${known}`);
}

function checkedRows({ name, datatype, shape: [, ...wanted] }: TensorSpec, tensor: RequestTensor): number {
  if (tensor.datatype !== datatype) throw wrong(name, `it is ${datatype}, not ${tensor.datatype}`);
  const [rows = 0, ...width] = tensor.shape;
  // One element a row may also be written as a column, [n, 1].
  const isColumn = wanted.length === 0 && width.length === 1 && width[0] === 1;
  if (!isColumn && (width.length !== wanted.length || width.some((size, i) => size !== wanted[i])))
    throw wrong(name, `its shape is [${['n', ...wanted].join(', ')}], not [${tensor.shape.join(', ')}]`);
  if (rows < 1 || rows > ROWS_PER_REQUEST_MAX)
    throw wrong(name, `a request has 1 to ${ROWS_PER_REQUEST_MAX} rows, not ${rows}`);
  return rows;
}

/** Shares the bytes out among the tensors that have no data in the JSON, in their order. */
function withBinary(
  tensors: readonly RequestTensor[],
  binary: Buffer,
): { tensor: RequestTensor; bytes: Buffer | null }[] {
  let at = 0;
  const shared = tensors.map((tensor) => {
    const size = tensor.parameters?.binary_data_size;
    if (size === undefined) return { tensor, bytes: null };
    const left = binary.length - at;
    if (size > left)
      throw wrong(tensor.name, `binary_data_size is ${size}, and ${left} bytes are left behind the JSON`);
    at += size;
    return { tensor, bytes: binary.subarray(at - size, at) };
  });
  if (at < binary.length)
    throw new CodedError(
      'invalid_request',
      `${binary.length - at} bytes behind the JSON belong to no tensor (binary_data_size)`,
    );
  return shared;
}

function cellsOf(spec: TensorSpec, tensor: RequestTensor, bytes: Buffer | null): readonly Cell[] {
  const { name, datatype } = spec;
  const [rows = 0, ...width] = tensor.shape;
  const rowSize = width.reduce((product, size) => product * size, 1);
  const count = rows * rowSize;
  const { data } = tensor;
  if ((data ?? null) !== null && bytes !== null) throw wrong(name, 'it has both data and binary_data_size');
  if (bytes !== null && datatype === 'BYTES') return readBytesElements(name, bytes, count);
  if (bytes !== null) return inRows(readFloats(name, bytes, count), rowSize);
  if (data === null || data === undefined) throw wrong(name, 'it has neither data nor binary_data_size');
  const flat = flatten(data, tensor.shape.length);
  if (flat.length !== count)
    throw wrong(name, `[${tensor.shape.join(', ')}] is ${count} elements, not ${flat.length}`);
  if (datatype === 'BYTES') return flat.map((value) => stringOf(name, value));
  return inRows(
    Float32Array.from(flat, (value) => numberOf(name, value)),
    rowSize,
  );
}

/** Nested arrays as one, no deeper than the shape says. */
function flatten(data: readonly unknown[], dimensions: number): readonly unknown[] {
  let flat = data;
  for (let depth = 1; depth < dimensions && flat.some((value) => Array.isArray(value)); depth++)
    flat = flat.flat();
  return flat;
}

function inRows(numbers: Float32Array, rowSize: number): Float32Array[] {
  return Array.from({ length: numbers.length / rowSize }, (_, i) =>
    numbers.subarray(i * rowSize, (i + 1) * rowSize),
  );
}

function stringOf(name: string, value: unknown): string {
  if (typeof value === 'string') return value;
  throw wrong(name, 'in JSON an element of BYTES is a string');
}

function numberOf(name: string, value: unknown): number {
  if (typeof value === 'number') return value;
  throw wrong(name, 'in JSON an element of FP32 is a number');
}
