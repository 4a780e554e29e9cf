import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type OnnxGraph, writeOnnx } from '@jarvis/model-kinds';
import { InferenceSession, Tensor } from 'onnxruntime-node';

const graph: OnnxGraph = {
  name: 'sample',
  opset: 18,
  inputs: [{ name: 'x', type: 'float32', dims: ['n', 2] }],
  outputs: [
    { name: 'y', type: 'float32', dims: ['n', 3] },
    { name: 'z', type: 'int64', dims: ['n'] },
  ],
  constants: [
    { name: 'w', dims: [3, 2], data: Float32Array.of(1, 2, 3, 4, 5, 6) },
    { name: 'b', dims: [3], data: Float32Array.of(0.5, 0.5, 0.5) },
    { name: 'axes', dims: [1], data: BigInt64Array.of(-1n) },
  ],
  nodes: [
    {
      op: 'Gemm',
      inputs: ['x', 'w', 'b'],
      outputs: ['g'],
      attributes: { transB: { int: 1 }, alpha: { float: 2 } },
    },
    { op: 'Transpose', inputs: ['g'], outputs: ['t'], attributes: { perm: { ints: [1, 0] } } },
    { op: 'Transpose', inputs: ['t'], outputs: ['y'], attributes: { perm: { ints: [1, 0] } } },
    {
      op: 'ArgMax',
      inputs: ['y'],
      outputs: ['column'],
      attributes: { axis: { int: -1 }, keepdims: { int: 1 } },
    },
    { op: 'Squeeze', inputs: ['column', 'axes'], outputs: ['z'] },
  ],
};

test('ONNX Runtime runs what the writer wrote: attributes, names, shapes and constants arrive', async () => {
  const session = await InferenceSession.create(writeOnnx(graph));
  assert.deepEqual(session.inputNames, ['x']);
  const results = await session.run({ x: new Tensor('float32', Float32Array.of(1, 0, 0, -1), [2, 2]) });
  assert.deepEqual([...(results['y']?.data as Float32Array)], [2.5, 6.5, 10.5, -3.5, -7.5, -11.5]);
  assert.deepEqual([...(results['z']?.data as BigInt64Array)], [2n, 0n]);
  await session.release();
});

test('a constant whose values do not fill its shape is refused', () => {
  const constants = [{ name: 'w', dims: [2, 2], data: Float32Array.of(1, 2, 3) }];
  assert.throws(() => writeOnnx({ ...graph, constants }), /w: 3 values for the shape \[2, 2\]/);
});

test('equal graphs are equal bytes', () => {
  assert.deepEqual(writeOnnx(graph), writeOnnx(structuredClone(graph)));
});
