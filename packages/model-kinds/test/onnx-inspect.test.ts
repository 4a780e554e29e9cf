// What is read of an ONNX file before it is run, and what is refused.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { ArtifactError, inspectOnnx, type OnnxGraph, writeOnnx } from '../src/index.ts';

const GRAPH: OnnxGraph = {
  name: 'sample',
  opset: 18,
  inputs: [{ name: 'x', type: 'float32', dims: ['n', 2] }],
  outputs: [{ name: 'y', type: 'float32', dims: ['n', 2] }],
  constants: [{ name: 'one', dims: [2], data: Float32Array.of(1, 1) }],
  nodes: [
    { op: 'Add', inputs: ['x', 'one'], outputs: ['z'] },
    { op: 'Neg', inputs: ['z'], outputs: ['y'] },
  ],
};

/** A field of a message: a number, a text or bytes. */
function field(number: number, value: number | string | Uint8Array): Buffer {
  if (typeof value === 'number') return Buffer.from([...varint(number * 8), ...varint(value)]);
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from([...varint(number * 8 + 2), ...varint(bytes.length)]), bytes]);
}

function varint(value: number): number[] {
  const low = value % 128;
  return value < 128 ? [low] : [low + 128, ...varint(Math.floor(value / 128))];
}

const all = (...parts: Uint8Array[]): Buffer => Buffer.concat(parts);
const OPSET = field(8, all(field(1, ''), field(2, 18)));
const OUTPUT = field(12, field(1, 'y'));
const model = (...graph: Buffer[]): Buffer => all(field(1, 9), field(7, all(...graph, OUTPUT)), OPSET);
const refuses = (bytes: Uint8Array, message: RegExp): void =>
  assert.throws(
    () => inspectOnnx('model.onnx', bytes),
    (error) => error instanceof ArtifactError && message.test(error.message),
  );

test('inputs, outputs, opset and nodes are read', () => {
  assert.deepEqual(inspectOnnx('model.onnx', writeOnnx(GRAPH)), {
    inputs: ['x'],
    outputs: ['y'],
    opset: 18,
    nodes: 2,
  });
});

test('tensors kept in another file are refused, wherever they are', () => {
  const location = field(13, all(field(1, 'location'), field(2, '../../etc/passwd')));
  const marked = all(field(8, 'w'), field(14, 1));
  const named = all(field(8, 'w'), location);
  for (const tensor of [marked, named]) {
    refuses(model(field(5, tensor)), /tensor w in another file/);
    refuses(model(field(15, field(1, tensor))), /another file/);
    const constant = field(1, all(field(4, 'Constant'), field(5, field(5, tensor))));
    refuses(model(constant), /another file/);
    const branch = field(1, all(field(4, 'If'), field(5, field(6, constant))));
    refuses(model(branch), /another file/);
  }
});

test('custom operators are refused, also within a branch; functions of the model itself are not', () => {
  const custom = field(1, all(field(4, 'Run'), field(7, 'com.evil')));
  refuses(model(custom), /custom operator com\.evil:Run/);
  refuses(model(field(1, all(field(4, 'If'), field(5, field(6, custom))))), /custom operator/);
  const local = field(25, all(field(1, 'Run'), field(10, 'com.evil'), field(7, field(4, 'Neg'))));
  assert.equal(inspectOnnx('model.onnx', all(model(custom), local)).nodes, 2);
  const body = field(7, all(field(4, 'Run'), field(7, 'com.evil')));
  const wrapping = field(25, all(field(1, 'F'), field(10, 'f'), body));
  refuses(all(model(), wrapping), /custom operator/);
});

test('no standard operators, an old opset, no output and endless nesting are refused', () => {
  refuses(all(field(7, OUTPUT)), /no set of standard operators/);
  refuses(all(field(7, OUTPUT), field(8, field(2, 6))), /opset 6/);
  refuses(all(field(7, field(1, field(4, 'Neg'))), OPSET), /no output/);
  refuses(all(field(1, 9), OPSET), /no graph/);
  let graph = field(1, field(4, 'Neg'));
  for (let i = 0; i < 20; i++) graph = field(1, all(field(4, 'If'), field(5, field(6, graph))));
  refuses(model(graph), /nests graphs/);
});

test('bytes that are no ONNX are refused with a reason, whatever they are', () => {
  const whole = writeOnnx(GRAPH);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(whole.length - 1), (noise, cut) => {
      for (const bytes of [noise, whole.subarray(0, cut)])
        try {
          inspectOnnx('model.onnx', bytes);
        } catch (error) {
          assert.ok(error instanceof ArtifactError, String(error));
        }
    }),
  );
  refuses(Buffer.from('not a model'), /not an ONNX model|no graph/);
});
