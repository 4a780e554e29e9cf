// Intent recognition as tensors: texts in, for each the intent and how sure that is.
import { type TensorSignature, textOf } from '../tensor-signature.ts';

export const nluTensors: TensorSignature = {
  inputs: [{ name: 'text', datatype: 'BYTES', shape: [-1] }],
  outputs: [
    { name: 'intent', datatype: 'BYTES', shape: [-1] },
    { name: 'confidence', datatype: 'FP32', shape: [-1] },
  ],
  toInput: (row) => ({ text: textOf('text', row['text']) }),
  fromPrediction: ({ output, confidence }) => ({
    intent: String(output['intent']),
    confidence: Float32Array.of(confidence),
  }),
};
