// HTTP of the registry: kinds, versions, and artifacts by digest.
import { createReadStream } from 'node:fs';
import {
  CodedError,
  modelsSchema,
  modelTypeSchema,
  type ModelVersion,
  modelVersionSchema,
  modelVersionsSchema,
  sha256Schema,
  versionSchema,
} from '@jarvis/contracts';
import type { HttpServer } from '@jarvis/runtime';
import type { Database } from '@jarvis/store';
import { z } from 'zod';
import { findActiveRollout } from '../store/deployments.ts';
import {
  championOf,
  countVersions,
  findVersion,
  listVersions,
  manifestOf,
  type VersionRow,
} from '../store/versions.ts';
import type { Blobs } from './blobs.ts';

const TAGS = ['registry'];
const ONE_YEAR_SECONDS = 31_536_000;

export function addRegistryRoutes(server: HttpServer, db: Database, blobs: Blobs): void {
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
      const rows = await listVersions(db, req.params.kind);
      return { versions: await Promise.all(rows.map((row) => viewOf(db, row))) };
    },
  );
  server.get(
    '/api/models/:kind/versions/:version',
    {
      schema: {
        tags: TAGS,
        summary: 'One version',
        params: z.object({ kind: modelTypeSchema, version: versionSchema }),
        response: { 200: modelVersionSchema },
      },
    },
    async (req) => viewOf(db, await mustFindVersion(db, req.params.kind, req.params.version)),
  );
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
      const bytes = await blobs.bytes(sha256);
      if (bytes === null) throw new CodedError('not_found', `there is no artifact ${sha256}`);
      return reply
        .header('cache-control', `public, max-age=${ONE_YEAR_SECONDS}, immutable`)
        .header('etag', `"${sha256}"`)
        .header('content-length', bytes)
        .type('application/octet-stream')
        .send(createReadStream(blobs.path(sha256)));
    },
  );
}

export async function mustFindVersion(db: Database, kind: string, version: string): Promise<VersionRow> {
  const row = await findVersion(db, kind, version);
  if (row === undefined) throw new CodedError('not_found', `there is no version ${version} of ${kind}`);
  return row;
}

async function readModels(db: Database): Promise<z.infer<typeof modelsSchema>> {
  const models: z.infer<typeof modelsSchema>['models'] = {};
  for (const { model_type: kind, versions } of await countVersions(db)) {
    const challenger = (await findActiveRollout(db, kind))?.model_version ?? null;
    models[kind] = { champion: await championOf(db, kind), challenger, versions };
  }
  return { models };
}

async function viewOf(db: Database, row: VersionRow): Promise<ModelVersion> {
  const manifest = manifestOf(row);
  const aliases: ModelVersion['aliases'] = [];
  if ((await championOf(db, row.model_type)) === row.version) aliases.push('champion');
  if ((await findActiveRollout(db, row.model_type))?.model_version === row.version)
    aliases.push('challenger');
  return {
    model_type: row.model_type,
    version: row.version,
    digest: row.digest,
    aliases,
    metrics: manifest.metrics,
    files: manifest.files,
    job_id: row.job_id,
    parent_version: row.parent_version,
    created_at: row.created_at,
  };
}
