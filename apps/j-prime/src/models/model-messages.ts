// What a model's thread and the event loop say to each other; by structured clone, between two halves of one program.
import type { ModelManifest, ModelType } from '@jarvis/contracts';
import type { LoadedModel, Prediction } from '@jarvis/model-kinds';

/** What a thread is started with. */
export interface ThreadData {
  readonly dir: string;
  readonly sha256: string;
}

export type ToThread =
  | { readonly kind: 'run'; readonly id: number; readonly inputs: readonly Record<string, unknown>[] }
  /** The runs before it are answered, then the thread ends by itself. */
  | { readonly kind: 'stop' };

export type FromThread =
  | {
      readonly kind: 'ready';
      readonly manifest: ModelManifest;
      readonly modelKind: ModelType;
      readonly sha256: string;
      /** Of one prediction, measured where nothing else goes on. */
      readonly costMs: number;
    }
  | { readonly kind: 'refused'; readonly error: ThreadError }
  | { readonly kind: 'answered'; readonly id: number; readonly predictions: readonly Prediction[] }
  | { readonly kind: 'failed'; readonly id: number; readonly error: ThreadError };

/** Errors lose their class on the way. */
export interface ThreadError {
  readonly message: string;
  /** Of an ArtifactError or CodedError. */
  readonly code: string | null;
}

export type OpenModel = (dir: string, options: { sha256: string }) => Promise<LoadedModel>;
