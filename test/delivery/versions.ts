// Really trained nlu versions, exported to folders by the command line; and one of them made brittle: it loads, answers a
// sample, and fails at run time at texts with a certain word.
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Experience,
  type Imported,
  importedSchema,
  type Job,
  MODEL_MANIFEST_FILE,
  modelManifestSchema,
} from '@jarvis/contracts';
import { nlu, sha256Hex } from '@jarvis/model-kinds';
import { until } from '@jarvis/testkit';
import type { Home } from './home.ts';

const INTENTS = ['lights_on', 'lights_off', 'play_music', 'set_timer'] as const;
const ROWS_PER_INTENT = 8;
const EPOCHS = 20;
const TRAINED_LIMIT_MS = 120_000;
const HASH_BYTES = 4;

export const GRAPH_FILE = 'model.onnx';
export const VOCABULARY_FILE = 'vocabulary.bin';
/** A text with this word makes a brittle version fail. */
export const TRIP_WORD = 'zyzzyva';
export const TEXTS = INTENTS.map((intent) => `${intent.replace('_', ' ')} please`);
export const TEXT = 'play music please';
/** Of no intent quite: each version is unsure of it in its own way, so its confidence tells who answered. */
export const TELLING_TEXT = 'music and lights part1 part2';

export interface Exported {
  readonly version: string;
  readonly digest: string;
  readonly folder: string;
}

/** One after the other, each with more data than the one before; none is deployed. */
export async function trainVersions(home: Home, count: number, into: string): Promise<Exported[]> {
  const made: Exported[] = [];
  for (let n = 1; n <= count; n += 1) {
    await home.call('jarvis-core', 'POST /api/experiences', { experiences: rows(`part${n}`) });
    const version = await train(home);
    const folder = join(into, `exported-${version}`);
    await home.cli('models', 'export', 'nlu', version, folder);
    made.push({ version, folder, digest: sha256Hex(await readFile(join(folder, MODEL_MANIFEST_FILE))) });
  }
  return made;
}

async function train(home: Home): Promise<string> {
  const asked = { model_type: 'nlu', epochs: EPOCHS, auto_deploy: false };
  const { job } = await home.call<{ job: Job }>('jarvis-core', 'POST /api/jobs', asked);
  let last: Job | null = null;
  const version = await until(
    () => `a version, but ${JSON.stringify(last)}`,
    async () => {
      last = await home.call<Job>('jarvis-core', `GET /api/jobs/${job.job_id}`);
      return last.state === 'completed' ? last.model_version : null;
    },
    TRAINED_LIMIT_MS,
  );
  return version;
}

function rows(tag: string): Experience[] {
  return INTENTS.flatMap((intent) =>
    Array.from({ length: ROWS_PER_INTENT }, (_, n): Experience => ({
      type: 'command',
      input: { text: `${intent.replace('_', ' ')} please ${tag} ${n}` },
      expected_output: { intent },
    })),
  );
}

export async function importVersion(home: Home, folder: string): Promise<Imported> {
  return importedSchema.parse(await home.call('reactor-core', 'POST /api/models/nlu/import', { folder }));
}

/** Its vocabulary gets one more row, which a feature of the word points at, and the graph has no such row. */
export async function makeBrittle({ folder }: Exported, into: string): Promise<string> {
  await cp(folder, into, { recursive: true });
  const path = join(into, MODEL_MANIFEST_FILE);
  const manifest = modelManifestSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  const old = await readFile(join(folder, VOCABULARY_FILE));
  const half = old.byteLength / 2;
  const known = new Set(Array.from({ length: half / HASH_BYTES }, (_, i) => old.readInt32LE(i * HASH_BYTES)));
  const hash = nlu.countFeatures(TRIP_WORD).hashes.find((h) => !known.has(h));
  if (hash === undefined) throw new Error(`${TRIP_WORD} has no feature of its own`);
  const [hashes, idf] = [Buffer.alloc(HASH_BYTES), Buffer.alloc(HASH_BYTES)];
  hashes.writeInt32LE(hash);
  idf.writeFloatLE(1);
  const bytes = Buffer.concat([old.subarray(0, half), hashes, old.subarray(half), idf]);
  await writeFile(join(into, VOCABULARY_FILE), bytes);
  const brittle = {
    ...manifest,
    encoding: { ...manifest.encoding, features: bytes.byteLength / (2 * HASH_BYTES) },
    files: { ...manifest.files, [VOCABULARY_FILE]: { bytes: bytes.byteLength, sha256: sha256Hex(bytes) } },
  };
  await writeFile(path, JSON.stringify(brittle));
  return into;
}
