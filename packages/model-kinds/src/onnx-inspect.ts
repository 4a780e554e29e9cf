// Reads what an ONNX file asks for before it is run: its inputs, outputs, operator sets and nodes. Nothing is loaded by it.
// Refused is what would reach beyond the file (tensors kept elsewhere) or needs code that ONNX Runtime does not bring.
// Field numbers: onnx.proto3.
import { ArtifactError } from './artifact.ts';

export interface OnnxSummary {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Of the standard operators. */
  readonly opset: number;
  readonly nodes: number;
}

/** The standard operators, and those that ONNX Runtime itself adds to them. */
const DOMAINS: ReadonlySet<string> = new Set(['', 'ai.onnx', 'ai.onnx.ml', 'com.microsoft']);
/** ONNX Runtime promises nothing for older ones. */
const OPSET_MIN = 7;
/** Of graphs in attributes of nodes. */
const DEPTH_MAX = 16;
const STORED_ELSEWHERE = 1n;
const VARINT_BYTES_MAX = 10;

type Field = { readonly number: number } & (
  | { readonly value: bigint }
  | { readonly bytes: Buffer }
  | { readonly skipped: true }
);

class Broken extends Error {}

interface Seen {
  readonly name: string;
  readonly local: Set<string>;
  nodes: number;
}

/** @throws {ArtifactError} `artifact_unreadable`: no ONNX; `artifact_unsupported`: asks for what it may not have */
export function inspectOnnx(name: string, file: Uint8Array): OnnxSummary {
  try {
    return inspectModel(name, Buffer.from(file.buffer, file.byteOffset, file.byteLength));
  } catch (error) {
    if (!(error instanceof Broken)) throw error;
    throw new ArtifactError('artifact_unreadable', `${name} is not an ONNX model: ${error.message}`);
  }
}

function inspectModel(name: string, file: Buffer): OnnxSummary {
  const fields = fieldsOf(file);
  const [graph, ...more] = messages(fields, 7);
  if (graph === undefined || more.length > 0) throw new Broken('it has no graph');
  const opset = opsetOf(name, messages(fields, 8));
  const functions = messages(fields, 25).map(fieldsOf);
  const local = new Set(functions.map((f) => `${text(f, 10)}:${text(f, 1)}`));
  const seen: Seen = { name, local, nodes: 0 };
  for (const body of functions) for (const node of messages(body, 7)) inspectNode(seen, node, 1);
  const top = fieldsOf(graph);
  inspectGraph(seen, top, 0);
  const inputs = messages(top, 11).map((value) => text(fieldsOf(value), 1));
  const outputs = messages(top, 12).map((value) => text(fieldsOf(value), 1));
  if (outputs.length === 0) throw new Broken('its graph has no output');
  return { inputs, outputs, opset, nodes: seen.nodes };
}

function opsetOf(name: string, imports: readonly Buffer[]): number {
  const sets = imports.map(fieldsOf).map((f) => ({ domain: text(f, 1), version: Number(number(f, 2)) }));
  const standard = sets.find(({ domain }) => domain === '' || domain === 'ai.onnx');
  if (standard === undefined)
    throw new ArtifactError('artifact_unsupported', `${name} names no set of standard operators`);
  if (standard.version < OPSET_MIN)
    throw new ArtifactError(
      'artifact_unsupported',
      `${name} uses opset ${standard.version}; ${OPSET_MIN} is the oldest that is run: export it anew`,
    );
  return standard.version;
}

function inspectGraph(seen: Seen, graph: readonly Field[], depth: number): void {
  if (depth > DEPTH_MAX)
    throw new ArtifactError('artifact_unsupported', `${seen.name} nests graphs deeper than ${DEPTH_MAX}`);
  for (const tensor of messages(graph, 5)) inspectTensor(seen, tensor);
  for (const sparse of messages(graph, 15)) inspectSparse(seen, sparse);
  for (const node of messages(graph, 1)) inspectNode(seen, node, depth);
}

function inspectNode(seen: Seen, node: Buffer, depth: number): void {
  seen.nodes += 1;
  const fields = fieldsOf(node);
  const [operator, domain] = [text(fields, 4), text(fields, 7)];
  if (!DOMAINS.has(domain) && !seen.local.has(`${domain}:${operator}`))
    throw new ArtifactError(
      'artifact_unsupported',
      `${seen.name} uses the custom operator ${domain}:${operator}: only what ONNX Runtime brings is run`,
    );
  for (const attribute of messages(fields, 5).map(fieldsOf)) {
    for (const tensor of [...messages(attribute, 5), ...messages(attribute, 10)]) inspectTensor(seen, tensor);
    for (const sparse of [...messages(attribute, 22), ...messages(attribute, 23)])
      inspectSparse(seen, sparse);
    for (const graph of [...messages(attribute, 6), ...messages(attribute, 11)])
      inspectGraph(seen, fieldsOf(graph), depth + 1);
  }
}

function inspectSparse(seen: Seen, sparse: Buffer): void {
  const fields = fieldsOf(sparse);
  for (const tensor of [...messages(fields, 1), ...messages(fields, 2)]) inspectTensor(seen, tensor);
}

function inspectTensor(seen: Seen, tensor: Buffer): void {
  const fields = fieldsOf(tensor);
  if (number(fields, 14) === STORED_ELSEWHERE || messages(fields, 13).length > 0)
    throw new ArtifactError(
      'artifact_unsupported',
      `${seen.name} keeps the tensor ${text(fields, 8)} in another file: save the model as one file`,
    );
}

function messages(fields: readonly Field[], wanted: number): Buffer[] {
  return fields.flatMap((f) => {
    if (f.number !== wanted) return [];
    if ('bytes' in f) return [f.bytes];
    throw new Broken(`field ${wanted} is of another type`);
  });
}

function text(fields: readonly Field[], wanted: number): string {
  return messages(fields, wanted).at(-1)?.toString('utf8') ?? '';
}

function number(fields: readonly Field[], wanted: number): bigint {
  const last = fields.findLast((f) => f.number === wanted);
  return last !== undefined && 'value' in last ? last.value : 0n;
}

/** The fields of one message; their bytes are views of the file. */
function fieldsOf(message: Buffer): Field[] {
  const fields: Field[] = [];
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let i = 0; i < VARINT_BYTES_MAX; i++) {
      const byte = message[at++];
      if (byte === undefined) throw new Broken('it ends within a number');
      value |= BigInt(byte & 0x7f) << BigInt(7 * i);
      if (byte < 0x80) return value;
    }
    throw new Broken('a number in it is too long');
  };
  const take = (size: bigint): Buffer => {
    if (size > BigInt(message.length - at)) throw new Broken('it ends within a field');
    const bytes = message.subarray(at, at + Number(size));
    at += bytes.length;
    return bytes;
  };
  while (at < message.length) {
    const key = varint();
    const field = Number(key >> 3n);
    switch (Number(key & 7n)) {
      case 0:
        fields.push({ number: field, value: varint() });
        break;
      case 1:
        take(8n);
        fields.push({ number: field, skipped: true });
        break;
      case 2:
        fields.push({ number: field, bytes: take(varint()) });
        break;
      case 5:
        take(4n);
        fields.push({ number: field, skipped: true });
        break;
      default:
        throw new Broken('a field in it has an unknown type');
    }
  }
  return fields;
}
