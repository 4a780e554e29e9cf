// What a fresh model is warmed with, and a foreign one is tried with: one plain input of its kind.
import type { ModelType } from '@jarvis/contracts';
import { ArtifactError } from './artifact.ts';

const SAMPLES: Readonly<Partial<Record<ModelType, Record<string, unknown>>>> = {
  nlu: { text: 'turn the light on in the kitchen at half past seven' },
};

/** @throws {ArtifactError} `artifact_unsupported` for a kind that is not served here */
export function sampleInput(kind: ModelType): Record<string, unknown> {
  const sample = SAMPLES[kind];
  if (sample !== undefined) return sample;
  throw new ArtifactError('artifact_unsupported', `models of kind ${kind} are not served here yet`);
}
