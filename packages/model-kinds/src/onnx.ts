// Writes ONNX models: a graph as plain data in, the protobuf bytes of a ModelProto out.
// Only what a small model needs of the format: nodes, constants, named inputs and outputs. Field numbers: onnx.proto3.

const IR_VERSION = 9;
const ELEMENT_TYPE = { float32: 1, uint8: 2, int8: 3, int32: 6, int64: 7, bool: 9 } as const;
export type ElementType = keyof typeof ELEMENT_TYPE;

/** One dimension: a size, or the name of a size known only at run time. */
export type Dimension = number | string;

export interface OnnxValue {
  readonly name: string;
  readonly type: ElementType;
  readonly dims: readonly Dimension[];
}

export interface OnnxTensor {
  readonly name: string;
  readonly dims: readonly number[];
  /** Float32Array is float32, BigInt64Array int64, and so on; its length is the product of `dims`. */
  readonly data: Float32Array | Uint8Array | Int8Array | Int32Array | BigInt64Array;
}

export type OnnxAttribute =
  | { readonly int: number }
  | { readonly float: number }
  | { readonly string: string }
  | { readonly ints: readonly number[] }
  | { readonly floats: readonly number[] };

export interface OnnxNode {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: Readonly<Record<string, OnnxAttribute>>;
}

export interface OnnxGraph {
  readonly name: string;
  readonly opset: number;
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  readonly constants: readonly OnnxTensor[];
  readonly nodes: readonly OnnxNode[];
}

const WIRE_VARINT = 0;
const WIRE_LENGTH = 2;
const WIRE_FIXED32 = 5;

function varint(value: number | bigint): Buffer {
  let rest = BigInt.asUintN(64, BigInt(value));
  const bytes: number[] = [];
  do {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    bytes.push(rest === 0n ? low : low | 0x80);
  } while (rest !== 0n);
  return Buffer.from(bytes);
}

const key = (field: number, wire: number) => varint(field * 8 + wire);
const integer = (field: number, value: number) => Buffer.concat([key(field, WIRE_VARINT), varint(value)]);
const bytes = (field: number, value: Uint8Array) =>
  Buffer.concat([key(field, WIRE_LENGTH), varint(value.byteLength), value]);
const text = (field: number, value: string) => bytes(field, Buffer.from(value, 'utf8'));
const message = (field: number, parts: readonly Buffer[]) => bytes(field, Buffer.concat(parts));

function float(field: number, value: number): Buffer {
  const fixed = Buffer.alloc(4);
  fixed.writeFloatLE(value);
  return Buffer.concat([key(field, WIRE_FIXED32), fixed]);
}

function attributeParts(name: string, attribute: OnnxAttribute): Buffer[] {
  const type = (value: number) => integer(20, value);
  if ('float' in attribute) return [text(1, name), float(2, attribute.float), type(1)];
  if ('int' in attribute) return [text(1, name), integer(3, attribute.int), type(2)];
  if ('string' in attribute) return [text(1, name), text(4, attribute.string), type(3)];
  if ('floats' in attribute)
    return [text(1, name), ...attribute.floats.map((value) => float(7, value)), type(6)];
  return [text(1, name), ...attribute.ints.map((value) => integer(8, value)), type(7)];
}

function nodeParts(node: OnnxNode): Buffer[] {
  const attributes = Object.entries(node.attributes ?? {});
  return [
    ...node.inputs.map((name) => text(1, name)),
    ...node.outputs.map((name) => text(2, name)),
    text(4, node.op),
    ...attributes.map(([name, attribute]) => message(5, attributeParts(name, attribute))),
  ];
}

function elementTypeOf(data: OnnxTensor['data']): ElementType {
  if (data instanceof Float32Array) return 'float32';
  if (data instanceof Int8Array) return 'int8';
  if (data instanceof Int32Array) return 'int32';
  if (data instanceof BigInt64Array) return 'int64';
  return 'uint8';
}

function tensorParts({ name, dims, data }: OnnxTensor): Buffer[] {
  const size = dims.reduce((product, dim) => product * dim, 1);
  if (size !== data.length)
    throw new RangeError(`${name}: ${data.length} values for the shape [${dims.join(', ')}]`);
  // raw_data is little-endian, as is every processor that Node runs on.
  const raw = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return [
    ...dims.map((dim) => integer(1, dim)),
    integer(2, ELEMENT_TYPE[elementTypeOf(data)]),
    text(8, name),
    bytes(9, raw),
  ];
}

function valueParts({ name, type, dims }: OnnxValue): Buffer[] {
  const shape = dims.map((dim) => message(1, [typeof dim === 'number' ? integer(1, dim) : text(2, dim)]));
  const tensorType = message(1, [integer(1, ELEMENT_TYPE[type]), message(2, shape)]);
  return [text(1, name), message(2, [tensorType])];
}

/** The bytes of an `.onnx` file. @throws {RangeError} when a constant has other values than its shape says */
export function writeOnnx(graph: OnnxGraph): Uint8Array {
  const graphParts = [
    ...graph.nodes.map((node) => message(1, nodeParts(node))),
    text(2, graph.name),
    ...graph.constants.map((tensor) => message(5, tensorParts(tensor))),
    ...graph.inputs.map((value) => message(11, valueParts(value))),
    ...graph.outputs.map((value) => message(12, valueParts(value))),
  ];
  const opset = [text(1, ''), integer(2, graph.opset)];
  return Buffer.concat([
    integer(1, IR_VERSION),
    text(2, 'jarvis'),
    message(7, graphParts),
    message(8, opset),
  ]);
}
