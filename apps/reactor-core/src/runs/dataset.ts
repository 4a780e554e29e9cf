// The data of a job, stored before its start is answered: sent inline, read from an allowed folder, or fetched and checked.
import { createHash } from 'node:crypto';
import { mkdir, open, readFile, realpath, rename, stat } from 'node:fs/promises';
import { dirname, isAbsolute, join, sep } from 'node:path';
import {
  CodedError,
  type DatasetRef,
  type DatasetRow,
  datasetRowSchema,
  type Experience,
  experienceSchema,
  MODEL_TYPE_OF_EXPERIENCE,
  type ModelType,
  type TrainingStart,
} from '@jarvis/contracts';
import { durably } from '@jarvis/failpoints';
import { download, syncFolder } from '@jarvis/runtime';

/** The same for files and for what is fetched: what one machine trains on in a night is far below. */
export const DATASET_BYTES_MAX = 512 * 1024 * 1024;
/** With fewer rows than these a held-out part would tell nothing. */
const GATE_ROWS_FROM = 20;
const FETCH_TIMEOUT_MS = 60_000;
const PROBLEMS_SHOWN_MAX = 5;
const FULL: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT']);
const FULL_RETRY_SECONDS = 5;

export interface StoredDataset {
  readonly sha256: string;
  readonly rows: number;
}

export interface DatasetSources {
  /** The folder below which paths of clients have to lie. */
  readonly dataFolder: string;
  readonly gatePercent: number;
  /** The bearer token for data of JARVIS Core, sent to nobody else. */
  readonly token: string | null;
  readonly trustedOrigin: string;
}

/** Writes the job's rows to `target`. Throws `dataset_empty`, `dataset_corrupt`, `path_not_allowed`, `service_unavailable`, `storage_full`. */
export async function storeDataset(
  start: TrainingStart,
  target: string,
  sources: DatasetSources,
): Promise<StoredDataset> {
  const bytes = await bytesOf(start, sources);
  const rows = checkRows(bytes);
  if (start.dataset !== undefined && rows !== start.dataset.rows)
    throw new CodedError('dataset_corrupt', `the data set has ${rows} rows, not ${start.dataset.rows}`);
  await writeWhole(target, bytes);
  return { sha256: sha256(bytes), rows };
}

async function bytesOf(start: TrainingStart, sources: DatasetSources): Promise<Buffer> {
  if (start.dataset !== undefined) return fetchDataset(start.dataset, sources);
  if (start.dataset_path !== undefined) {
    const text = await readAllowed(start.dataset_path, sources.dataFolder);
    const values = parseValues(text);
    if (values.length > 0 && values.every((v) => datasetRowSchema.safeParse(v).success))
      return ndjson(values as DatasetRow[]);
    return fromExperiences(parseExperiences(values), start.model_type, sources);
  }
  return fromExperiences(start.experiences ?? [], start.model_type, sources);
}

async function fromExperiences(
  experiences: readonly Experience[],
  modelType: ModelType,
  sources: DatasetSources,
): Promise<Buffer> {
  const usable = experiences.filter(
    (e) => MODEL_TYPE_OF_EXPERIENCE[e.type] === modelType && e.expected_output != null,
  );
  if (usable.length === 0)
    throw new CodedError(
      'dataset_empty',
      `none of the ${experiences.length} experiences is one that ${modelType} learns from: it needs the right type and an expected_output`,
      { issues: [{ path: 'body.experiences', message: `nothing for ${modelType} to learn from` }] },
    );
  for (const { input } of usable) await checkPaths(input, sources.dataFolder);
  // Those that tell no time are taken to have come in the order in which they were sent.
  const inOrder = usable.every((e) => e.timestamp !== undefined)
    ? usable.toSorted((a, b) => (a.timestamp ?? 0) - (b.timestamp ?? 0))
    : usable;
  const gateRows =
    inOrder.length < GATE_ROWS_FROM ? 0 : Math.ceil((inOrder.length * sources.gatePercent) / 100);
  return ndjson(
    inOrder.map((e, i) => ({
      id: `row-${i + 1}`,
      split: i < inOrder.length - gateRows ? 'train' : 'gate',
      input: e.input,
      expected_output: e.expected_output ?? {},
    })),
  );
}

/** Recordings and pictures may be named by path; these lie in the allowed folder too. */
async function checkPaths(input: Record<string, unknown>, dataFolder: string): Promise<void> {
  for (const name of ['audio_path', 'image_path']) {
    const path = input[name];
    if (typeof path === 'string') await resolveAllowed(path, dataFolder, `experiences.input.${name}`);
  }
}

/** The real path, which has to lie below the folder also when links are followed. */
async function resolveAllowed(path: string, dataFolder: string, field: string): Promise<string> {
  const refused = new CodedError(
    'path_not_allowed',
    `${path} is no file below ${dataFolder} (TRAINING_DATA_DIR)`,
    { issues: [{ path: `body.${field}`, message: 'is no file below the allowed folder' }] },
  );
  try {
    const folder = await realpath(dataFolder);
    const real = await realpath(isAbsolute(path) ? path : join(folder, path));
    if (!real.startsWith(folder + sep) || !(await stat(real)).isFile()) throw refused;
    return real;
  } catch {
    throw refused;
  }
}

async function readAllowed(path: string, dataFolder: string): Promise<string> {
  const real = await resolveAllowed(path, dataFolder, 'dataset_path');
  const { size } = await stat(real);
  if (size > DATASET_BYTES_MAX)
    throw new CodedError(
      'body_too_large',
      `${path} has ${size} bytes, at most ${DATASET_BYTES_MAX} are read`,
    );
  return readFile(real, 'utf8');
}

/** A JSON array, or a JSON value a line. */
function parseValues(text: string): unknown[] {
  try {
    if (text.trimStart().startsWith('[')) return JSON.parse(text) as unknown[];
    return text
      .split('\n')
      .filter((line) => line.trim() !== '')
      .map((line) => JSON.parse(line) as unknown);
  } catch (error) {
    throw new CodedError(
      'dataset_corrupt',
      `the file is neither a JSON array nor JSON lines: ${(error as Error).message}`,
    );
  }
}

function parseExperiences(values: readonly unknown[]): Experience[] {
  const issues: { path: string; message: string }[] = [];
  const experiences: Experience[] = [];
  for (const [i, value] of values.entries()) {
    const parsed = experienceSchema.safeParse(value);
    if (parsed.success) experiences.push(parsed.data);
    else issues.push({ path: `entry ${i + 1}`, message: parsed.error.issues[0]?.message ?? 'does not fit' });
  }
  if (issues.length === 0) return experiences;
  const shown = issues.slice(0, PROBLEMS_SHOWN_MAX);
  throw new CodedError(
    'invalid_request',
    `${issues.length} of ${values.length} entries are neither experiences nor data set rows: ${shown.map((x) => `${x.path}: ${x.message}`).join('; ')}`,
    { issues: shown },
  );
}

async function fetchDataset(ref: DatasetRef, { token, trustedOrigin }: DatasetSources): Promise<Buffer> {
  const url = new URL(ref.url);
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw new CodedError('invalid_request', `dataset.url has to be http or https, not ${url.protocol}`);
  const trusted = url.origin === new URL(trustedOrigin).origin;
  const bytes = await download({
    url: ref.url,
    bytesMax: DATASET_BYTES_MAX,
    timeoutMs: FETCH_TIMEOUT_MS,
    token: trusted ? token : null,
  });
  const got = sha256(bytes);
  if (got !== ref.sha256)
    throw new CodedError('dataset_corrupt', `${ref.url} has SHA-256 ${got}, not ${ref.sha256}`);
  return bytes;
}

/** How many rows; throws when a line is none, or nothing is there to train on. */
function checkRows(bytes: Buffer): number {
  let rows = 0;
  let training = 0;
  for (const line of bytes.toString('utf8').split('\n')) {
    if (line.trim() === '') continue;
    rows += 1;
    const parsed = datasetRowSchema.safeParse(parseLine(line, rows));
    if (!parsed.success) throw new CodedError('dataset_corrupt', `line ${rows} of the data set is no row`);
    if (parsed.data.split === 'train') training += 1;
  }
  if (training === 0) throw new CodedError('dataset_empty', 'the data set has no row to train on');
  return rows;
}

function parseLine(line: string, row: number): unknown {
  try {
    return JSON.parse(line) as unknown;
  } catch {
    throw new CodedError('dataset_corrupt', `line ${row} of the data set is not JSON`);
  }
}

function ndjson(rows: readonly DatasetRow[]): Buffer {
  return Buffer.from(rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

async function writeWhole(target: string, bytes: Buffer): Promise<void> {
  const partial = `${target}.partial`;
  try {
    await mkdir(dirname(target), { recursive: true, mode: 0o700 });
    const file = await open(partial, 'w', 0o600);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await durably('reactor.dataset.rename', () => rename(partial, target));
    await syncFolder(dirname(target));
  } catch (error) {
    if (!FULL.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
    throw new CodedError(
      'storage_full',
      `no space is left for the data set: ${(error as Error).message}`,
      { retry_after_seconds: FULL_RETRY_SECONDS },
      { cause: error },
    );
  }
}
