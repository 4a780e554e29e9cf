// The graph of an nlu model. Sparse texts in, n a batch with k features each (a row 0 of value 0 pads), probabilities out:
//   rows [n,k] -> Gather(int8 weights) -> Cast --------v
//        \-----> Gather(scales) -> Mul(values [n,k]) -> MatMul -> Add(bias) -> Softmax -> probabilities [n,labels]
import { type OnnxGraph, writeOnnx } from '../onnx.ts';

const OPSET = 18;
const INT8_MAX = 127;
const FLOAT_TYPE = 1;

/** A trained linear layer: `weights[feature * labels + label]`, `bias[label]`. */
export interface NluWeights {
  readonly features: number;
  readonly labels: number;
  readonly weights: Float32Array;
  readonly bias: Float32Array;
}

/** Eight bits a weight, one scale a feature: the largest of each row becomes ±127. */
function quantize({ features, labels, weights }: NluWeights) {
  const quantized = new Int8Array(features * labels);
  const scales = new Float32Array(features);
  for (let feature = 0; feature < features; feature++) {
    const start = feature * labels;
    let largest = 0;
    for (let i = start; i < start + labels; i++) largest = Math.max(largest, Math.abs(weights[i]!));
    if (largest === 0) continue;
    const scale = largest / INT8_MAX;
    scales[feature] = scale;
    for (let i = start; i < start + labels; i++) quantized[i] = Math.round(weights[i]! / scale);
  }
  return { quantized, scales };
}

/** The bytes of `model.onnx`. A model without features still answers, from its bias alone. */
export function writeNluGraph(layer: NluWeights): Uint8Array {
  // Gather needs a row to point at, so a graph has at least one.
  const features = Math.max(1, layer.features);
  const padded =
    layer.features === 0 ? { ...layer, features, weights: new Float32Array(layer.labels) } : layer;
  const { quantized, scales } = quantize(padded);
  const graph: OnnxGraph = {
    name: 'nlu',
    opset: OPSET,
    inputs: [
      { name: 'rows', type: 'int32', dims: ['n', 'k'] },
      { name: 'values', type: 'float32', dims: ['n', 'k'] },
    ],
    outputs: [{ name: 'probabilities', type: 'float32', dims: ['n', layer.labels] }],
    constants: [
      { name: 'weights', dims: [features, layer.labels], data: quantized },
      { name: 'scales', dims: [features], data: scales },
      { name: 'bias', dims: [layer.labels], data: layer.bias },
      { name: 'middle', dims: [1], data: BigInt64Array.of(1n) },
    ],
    nodes: [
      { op: 'Gather', inputs: ['weights', 'rows'], outputs: ['picked'] },
      { op: 'Cast', inputs: ['picked'], outputs: ['layers'], attributes: { to: { int: FLOAT_TYPE } } },
      { op: 'Gather', inputs: ['scales', 'rows'], outputs: ['picked_scales'] },
      { op: 'Mul', inputs: ['values', 'picked_scales'], outputs: ['scaled'] },
      { op: 'Unsqueeze', inputs: ['scaled', 'middle'], outputs: ['scaled_rows'] },
      { op: 'MatMul', inputs: ['scaled_rows', 'layers'], outputs: ['sums'] },
      { op: 'Squeeze', inputs: ['sums', 'middle'], outputs: ['logits'] },
      { op: 'Add', inputs: ['logits', 'bias'], outputs: ['biased'] },
      { op: 'Softmax', inputs: ['biased'], outputs: ['probabilities'], attributes: { axis: { int: -1 } } },
    ],
  };
  return writeOnnx(graph);
}
