// The table of tensors: which kinds can be asked in the Open Inference Protocol v2, and how. A further kind is a row.
import type { ModelType } from '@jarvis/contracts';
import { nluTensors } from './nlu/tensors.ts';
import type { TensorSignature } from './tensor-signature.ts';

const SIGNATURES: Readonly<Partial<Record<ModelType, TensorSignature>>> = { nlu: nluTensors };

/** Undefined for a kind that is not asked with tensors. */
export function tensorsOf(kind: ModelType): TensorSignature | undefined {
  return SIGNATURES[kind];
}
