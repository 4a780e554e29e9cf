// What a trained model takes and answers. Trainer and server both stand on this code, so that they can't drift apart.
export { ArtifactError, type ArtifactErrorCode, type OpenedArtifact, openArtifact } from './artifact.ts';
export { canonicalJson, sha256Hex } from './digest.ts';
export type { LoadedModel, LoadOptions, Prediction } from './model.ts';
export { isCorrect, loadModel, parseInput } from './kinds.ts';
export * from './onnx.ts';
export { inspectOnnx, type OnnxSummary } from './onnx-inspect.ts';
export { sampleInput } from './sample-input.ts';
export type { Cell, TensorSignature, TensorSpec } from './tensor-signature.ts';
export { tensorsOf } from './tensors.ts';
export * as nlu from './nlu/index.ts';
