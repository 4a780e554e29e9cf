// A small nlu artifact made by hand: `jazz` -> music, `rain` -> weather.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { canonicalJson, nlu, sha256Hex } from '@jarvis/model-kinds';

const HASH = '0'.repeat(64);

export const LABELS = ['music', 'oos', 'weather'];

export interface SampleArtifact extends AsyncDisposable {
  readonly dir: string;
}

/** Files of the sample by name. @param change edits the manifest before it is written */
export async function sampleArtifact(
  change: (manifest: Record<string, unknown>) => void = () => {},
): Promise<SampleArtifact> {
  const dir = await mkdtemp(join(tmpdir(), 'artifact-'));
  const jazz = nlu.countFeatures('jazz').hashes;
  const rain = nlu.countFeatures('rain').hashes.filter((hash) => !jazz.includes(hash));
  const hashes = Int32Array.of(...jazz, ...rain);
  const weights = Float32Array.from({ length: hashes.length * 3 }, (_, i) => {
    const label = i % 3;
    const isJazz = Math.floor(i / 3) < jazz.length;
    return label === (isJazz ? 0 : 2) ? 3 : 0;
  });
  const vocabulary = nlu.makeVocabulary(hashes, new Float32Array(hashes.length).fill(1), 1);
  const files: Record<string, Uint8Array> = {
    [nlu.GRAPH_FILE]: nlu.writeNluGraph({
      features: hashes.length,
      labels: 3,
      weights,
      bias: Float32Array.of(0, 0, 0),
    }),
    [nlu.VOCABULARY_FILE]: nlu.writeVocabulary(vocabulary),
  };
  const manifest: Record<string, unknown> = {
    format: 1,
    kind: 'nlu',
    labels: LABELS,
    encoding: { scheme: nlu.NLU_SCHEME, features: hashes.length, unknown_idf: 1, oos_threshold: 0.5 },
    metrics: {},
    files: Object.fromEntries(
      Object.entries(files).map(([name, bytes]) => [
        name,
        { bytes: bytes.byteLength, sha256: sha256Hex(bytes) },
      ]),
    ),
    lineage: {
      job_id: 'sample',
      dataset_sha256: HASH,
      dataset_rows: 2,
      parent_version: null,
      code_sha256: HASH,
      config: {},
      seed: 1,
    },
  };
  change(manifest);
  for (const [name, bytes] of Object.entries(files)) await writeFile(join(dir, name), bytes);
  await writeFile(join(dir, 'model.json'), canonicalJson(manifest));
  return { dir, [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }) };
}
