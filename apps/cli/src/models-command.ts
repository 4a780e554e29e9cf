// `jarvis models list | show | export | import`: versions in the registry of Reactor Core, and models that come and go.
import { createReadStream } from 'node:fs';
import { mkdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import {
  ARTIFACT_BYTES_MAX,
  ARTIFACT_FILES_MAX,
  importedSchema,
  type Lineage,
  lineageSchema,
  MODEL_MANIFEST_FILE,
  modelManifestSchema,
  modelsSchema,
  type ModelType,
  type ModelVersion,
  modelVersionSchema,
  modelVersionsSchema,
  TAR_CONTENT_TYPE,
} from '@jarvis/contracts';
import { packFlatTar, syncFolder, tarBytesMax, unpackFlatTar, writeDurably } from '@jarvis/runtime';
import { CommandError } from './exit.ts';
import { withReactor } from './services.ts';
import { table } from './style.ts';
import type { World } from './world.ts';

/** Longer than a foreign model is tried. */
const IMPORT_TIMEOUT_MS = 90_000;
const EXPORT_TIMEOUT_MS = 60_000;
const LIMITS = { filesMax: ARTIFACT_FILES_MAX, bytesMax: ARTIFACT_BYTES_MAX };
const DIGEST_CHARS = 12;

export interface NamedVersion {
  readonly kind: ModelType;
  /** Number or alias. */
  readonly version: string;
}

const pathOf = ({ kind, version }: NamedVersion): string =>
  `/api/models/${kind}/versions/${encodeURIComponent(version)}`;

export async function listModels(
  world: World,
  kind: ModelType | null,
  options: { json?: true },
): Promise<void> {
  const versions = await withReactor(world, async (client) => {
    const { models } = await client.get('/api/models', modelsSchema);
    const kinds = kind === null ? Object.keys(models) : [kind];
    const lists = await Promise.all(
      kinds.map((of) => client.get(`/api/models/${of}/versions`, modelVersionsSchema)),
    );
    return lists.flatMap((list) => list.versions);
  });
  if (options.json === true) world.stdout.write(`${JSON.stringify({ versions }, null, 2)}\n`);
  else world.stdout.write(`${versions.length === 0 ? 'There is no version yet.' : rowsOf(versions)}\n`);
}

function rowsOf(versions: readonly ModelVersion[]): string {
  return table(
    versions.map((v) => [
      v.model_type,
      v.version,
      v.digest.slice(0, DIGEST_CHARS),
      v.created_at,
      v.job_id ?? 'imported',
      v.aliases.join(', '),
    ]),
  );
}

export async function showModel(world: World, named: NamedVersion, options: { json?: true }): Promise<void> {
  const { version, lineage } = await withReactor(world, async (client) => ({
    version: await client.get(pathOf(named), modelVersionSchema),
    lineage: await client.get(`${pathOf(named)}/lineage`, lineageSchema),
  }));
  if (options.json === true) world.stdout.write(`${JSON.stringify({ ...version, lineage }, null, 2)}\n`);
  else world.stdout.write(`${table(factsOf(version, lineage))}\n`);
}

function factsOf(version: ModelVersion, lineage: Lineage): string[][] {
  const { job, dataset, parent, trained_by: by } = lineage;
  return [
    ['version', `${version.model_type} ${version.version}`],
    ['aliases', version.aliases.join(', ') || 'none'],
    ['digest', version.digest],
    ['since', version.created_at],
    ['from', job === null ? `an import (${by.job_id})` : `${job.job_id}, ${job.epochs} epochs`],
    ['parent', parent?.version ?? 'none'],
    ['data', `${dataset.rows} rows, ${dataset.sha256}`],
    ['code', by.code_sha256],
    ...Object.entries(version.metrics).map(([name, value]) => [name, String(value)]),
    ...Object.entries(version.files).map(([name, { bytes }]) => [name, `${bytes} bytes`]),
    ...lineage.deployments.map((d) => [d.deployment_id, `${d.state}: ${d.reason}`]),
  ];
}

export async function exportModel(world: World, named: NamedVersion, target: string): Promise<void> {
  const path = resolve(world.cwd, target);
  if ((await stat(path).catch(() => null)) !== null)
    throw new CommandError(`${target} is there already: name one that is not.`);
  const tar = await withReactor(world, (client) =>
    client.bytes(`${pathOf(named)}/export?format=tar`, { timeoutMs: EXPORT_TIMEOUT_MS }),
  );
  // Whole or not at all: made beside its place, then renamed.
  const partial = join(dirname(path), `.${basename(path)}.${world.random.id('partial')}`);
  try {
    if (path.endsWith('.tar')) await writeDurably(partial, tar);
    else {
      await mkdir(partial);
      await unpackFlatTar(Readable.from([tar]), partial, LIMITS);
    }
    await rename(partial, path);
    await syncFolder(dirname(path));
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
  world.stdout.write(`${named.kind} ${named.version} is in ${target}\n`);
}

export async function importModel(
  world: World,
  kind: ModelType,
  { source, json }: { source: string; json?: true },
): Promise<void> {
  const tar = await tarOf(resolve(world.cwd, source), source);
  const imported = await withReactor(world, (client) =>
    client.post(`/api/models/${kind}/import`, tar, importedSchema, {
      headers: { 'content-type': TAR_CONTENT_TYPE },
      timeoutMs: IMPORT_TIMEOUT_MS,
    }),
  );
  if (json === true) world.stdout.write(`${JSON.stringify(imported)}\n`);
  else world.stdout.write(`${imported.digest.slice(0, DIGEST_CHARS)}: ${imported.message}\n`);
}

async function tarOf(path: string, source: string): Promise<Buffer> {
  const found = await stat(path).catch(() => null);
  if (found === null) throw new CommandError(`${source} is not there.`);
  if (found.isDirectory()) return packFolder(path, source);
  await boundedBytes(path, tarBytesMax(LIMITS));
  return readFile(path);
}

/** `model.json` and the files it names, nothing else that lies there. What is wrong with them Reactor Core says. */
async function packFolder(folder: string, source: string): Promise<Buffer> {
  const manifestPath = join(folder, MODEL_MANIFEST_FILE);
  await boundedBytes(manifestPath, ARTIFACT_BYTES_MAX);
  const parsed = modelManifestSchema.safeParse(parseJson(await readFile(manifestPath, 'utf8')));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new CommandError(
      `${join(source, MODEL_MANIFEST_FILE)} is no model manifest: ${issue?.path.join('.')}: ${issue?.message}`,
    );
  }
  const names = new Set([MODEL_MANIFEST_FILE, ...Object.keys(parsed.data.files)]);
  const files = [];
  for (const name of names) {
    const path = join(folder, name);
    const bytes = await boundedBytes(path, ARTIFACT_BYTES_MAX);
    files.push({ name, bytes, read: () => createReadStream(path) });
  }
  return buffer(packFlatTar(files));
}

async function boundedBytes(path: string, bytesMax: number): Promise<number> {
  const found = await stat(path).catch(() => null);
  if (found?.isFile() !== true) throw new CommandError(`${path} is no file.`);
  if (found.size <= bytesMax) return found.size;
  throw new CommandError(`${path} has ${found.size} bytes; at most ${bytesMax} are taken.`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
