// HTTP of the registry: kinds, versions, and artifacts by digest.
import {
  CodedError,
  lineageSchema,
  type ModelAlias,
  modelsSchema,
  modelTypeSchema,
  type ModelVersion,
  modelVersionSchema,
  modelVersionsSchema,
  sha256Schema,
  versionNameSchema,
} from '@jarvis/contracts';
import type { Clock, HttpServer } from '@jarvis/runtime';
import type { Database } from '@jarvis/store';
import { z } from 'zod';
import { listAliases } from '../store/aliases.ts';
import { findActiveRollout, rolledBackInARow } from '../store/deployments.ts';
import { championOf, countVersions, listVersions, manifestOf, type VersionRow } from '../store/versions.ts';
import { addAliasRoutes } from './aliases.ts';
import type { Blobs } from './blobs.ts';
import { lineageOf } from './lineage.ts';
import { mustFindVersion } from './named-version.ts';

const TAGS = ['registry'];
const namedVersionSchema = z.object({ kind: modelTypeSchema, version: versionNameSchema });
const ONE_YEAR_SECONDS = 31_536_000;

export interface RegistryRoutesOptions {
  readonly db: Database;
  readonly clock: Clock;
  readonly blobs: Blobs;
}

export function addRegistryRoutes(server: HttpServer, { db, clock, blobs }: RegistryRoutesOptions): void {
  server.get(
    '/api/models',
    {
      schema: { tags: TAGS, summary: 'Kinds of model with their versions', response: { 200: modelsSchema } },
    },
    () => readModels(db),
  );
  server.get(
    '/api/models/:kind/versions',
    {
      schema: {
        tags: TAGS,
        summary: 'Versions of a kind, highest first',
        params: z.object({ kind: modelTypeSchema }),
        response: { 200: modelVersionsSchema },
      },
    },
    async (req) => {
      const { kind } = req.params;
      const [rows, aliases] = await Promise.all([listVersions(db, kind), listAliases(db, kind)]);
      return { versions: rows.map((row) => viewOf(row, aliases)) };
    },
  );
  server.get(
    '/api/models/:kind/versions/:version',
    {
      schema: {
        tags: TAGS,
        summary: 'One version, by its number or an alias',
        params: namedVersionSchema,
        response: { 200: modelVersionSchema },
      },
    },
    async (req) => {
      const { kind, version } = req.params;
      const row = await mustFindVersion(db, kind, version);
      return viewOf(row, await listAliases(db, kind));
    },
  );
  server.get(
    '/api/models/:kind/versions/:version/lineage',
    {
      schema: {
        tags: TAGS,
        summary: 'Where a version comes from and what became of it; also of one that was retired',
        params: namedVersionSchema,
        response: { 200: lineageSchema },
      },
    },
    (req) => lineageOf(db, req.params),
  );
  addAliasRoutes(server, { db, clock });
  addArtifactRoute(server, blobs);
}

function addArtifactRoute(server: HttpServer, blobs: Blobs): void {
  server.get(
    '/api/artifacts/:sha256',
    {
      schema: {
        tags: TAGS,
        summary: 'The bytes with this SHA-256: model.json of a version, or one of its files',
        params: z.object({ sha256: sha256Schema }),
      },
    },
    async (req, reply) => {
      const { sha256 } = req.params;
      const file = await blobs.open(sha256);
      if (file === null) throw new CodedError('not_found', `there is no artifact ${sha256}`);
      const { size: bytes } = await file.stat();
      return reply
        .header('cache-control', `public, max-age=${ONE_YEAR_SECONDS}, immutable`)
        .header('etag', `"${sha256}"`)
        .header('content-length', bytes)
        .type('application/octet-stream')
        .send(file.createReadStream());
    },
  );
}

async function readModels(db: Database): Promise<z.infer<typeof modelsSchema>> {
  const models: z.infer<typeof modelsSchema>['models'] = {};
  for (const { model_type: kind, versions } of await countVersions(db)) {
    const challenger = (await findActiveRollout(db, kind))?.model_version ?? null;
    const turnedBack = await rolledBackInARow(db, kind);
    models[kind] = {
      champion: await championOf(db, kind),
      challenger,
      versions,
      rolled_back:
        turnedBack === null
          ? null
          : { in_a_row: turnedBack.count, reason: turnedBack.reason, ended_at: turnedBack.endedAt },
    };
  }
  return { models };
}

function viewOf(row: VersionRow, aliases: readonly ModelAlias[]): ModelVersion {
  const manifest = manifestOf(row);
  return {
    model_type: row.model_type,
    version: row.version,
    digest: row.digest,
    aliases: aliases.flatMap(({ alias, version }) => (version === row.version ? [alias] : [])),
    metrics: manifest.metrics,
    files: manifest.files,
    job_id: row.job_id,
    parent_version: row.parent_version,
    created_at: row.created_at,
  };
}
