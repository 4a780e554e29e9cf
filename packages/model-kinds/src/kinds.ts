// The table of kinds: what is served, and by which code. A kind is one folder beside `nlu/` and one row here.
import type { ModelType } from '@jarvis/contracts';
import { ArtifactError, openArtifact } from './artifact.ts';
import type { LoadedModel, LoadOptions, ModelKind } from './model.ts';
import { nluKind } from './nlu/kind.ts';

const KINDS: Readonly<Partial<Record<ModelType, ModelKind>>> = { nlu: nluKind };

function kindOf(type: ModelType): ModelKind {
  const kind = KINDS[type];
  if (kind !== undefined) return kind;
  const known = Object.keys(KINDS).join(', ');
  throw new ArtifactError(
    'artifact_unsupported',
    `models of kind ${type} are not served here, only ${known}`,
  );
}

/** The input as this kind takes it, unknown fields dropped. @throws {CodedError} `invalid_request` */
export function parseInput(type: ModelType, input: unknown): Record<string, unknown> {
  return kindOf(type).parseInput(input);
}

/** Whether an answer is the one that was wanted. */
export function isCorrect(
  type: ModelType,
  output: Record<string, unknown>,
  expectedOutput: Record<string, unknown>,
): boolean {
  return kindOf(type).isCorrect(output, expectedOutput);
}

/**
 * Opens the artifact in a folder for serving.
 * @throws {ArtifactError} `artifact_unreadable`, `artifact_corrupt` or `artifact_unsupported`
 */
export async function loadModel(dir: string, options: LoadOptions = {}): Promise<LoadedModel> {
  const artifact = await openArtifact(dir, options.sha256);
  const { manifest, sha256 } = artifact;
  const predictor = await kindOf(manifest.kind).open(artifact);
  return {
    manifest,
    sha256,
    kind: manifest.kind,
    predict: (inputs) => predictor.predict(inputs),
    dispose: () => predictor.dispose(),
  };
}
