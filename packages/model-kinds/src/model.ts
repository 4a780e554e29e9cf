// What every kind of model looks like from outside, and what a kind has to bring to be served.
import type { ModelManifest, ModelType } from '@jarvis/contracts';
import type { OpenedArtifact } from './artifact.ts';

export interface Prediction {
  readonly output: Record<string, unknown>;
  /** 0 to 1 */
  readonly confidence: number;
}

export interface LoadedModel {
  readonly manifest: ModelManifest;
  readonly kind: ModelType;
  /** SHA-256 of `model.json`. */
  readonly sha256: string;
  /** One prediction an input, in the order of the inputs. @throws {CodedError} `invalid_request` when an input isn't one of this kind */
  predict(inputs: readonly Record<string, unknown>[]): Promise<Prediction[]>;
  /** Frees the model's memory; safe to call twice. */
  dispose(): Promise<void>;
}

export interface LoadOptions {
  /** The address the artifact was asked for under: loading fails when `model.json` has another. */
  readonly sha256?: string;
}

export interface Predictor {
  predict(inputs: readonly Record<string, unknown>[]): Promise<Prediction[]>;
  dispose(): Promise<void>;
}

/** One kind of model: the row it has in the table of kinds. */
export interface ModelKind {
  parseInput(input: unknown): Record<string, unknown>;
  isCorrect(output: Record<string, unknown>, expectedOutput: Record<string, unknown>): boolean;
  open(artifact: OpenedArtifact): Promise<Predictor>;
}
