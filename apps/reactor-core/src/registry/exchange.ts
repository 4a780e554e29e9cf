// HTTP of models that come from elsewhere or go there: import, and export as a tar.
import {
  CodedError,
  importedSchema,
  importRequestSchema,
  MODEL_MANIFEST_FILE,
  modelTypeSchema,
  TAR_CONTENT_TYPE,
  versionNameSchema,
} from '@jarvis/contracts';
import { type HttpServer, packFlatTar, tarBytesMax, type TarFile } from '@jarvis/runtime';
import type { Database } from '@jarvis/store';
import type { FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { z } from 'zod';
import { manifestOf, type VersionRow } from '../store/versions.ts';
import type { Blobs } from './blobs.ts';
import { ARTIFACT_TAR_LIMITS, type Importing } from './importing.ts';
import { mustFindVersion } from './named-version.ts';

const TAGS = ['registry'];

export interface ExchangeOptions {
  readonly db: Database;
  readonly blobs: Blobs;
  readonly importing: Importing;
}

export function addExchangeRoutes(server: HttpServer, options: ExchangeOptions): void {
  const { db, blobs, importing } = options;
  // Handed on as it comes: its size is counted where it is unpacked.
  server.addContentTypeParser(TAR_CONTENT_TYPE, (_req, payload, done) => done(null, payload));
  const body = z.any().meta({
    description: `${TAR_CONTENT_TYPE} with ${MODEL_MANIFEST_FILE} and the files it names, or JSON {"folder": a folder below TRAINING_DATA_DIR}`,
  });
  server.post(
    '/api/models/:kind/import',
    {
      schema: {
        tags: TAGS,
        summary: 'Take a foreign model in: checked, tried, and made a version that nobody is served yet',
        params: z.object({ kind: modelTypeSchema }),
        body,
        response: { 200: importedSchema },
      },
    },
    async (req) => {
      const { kind } = req.params;
      const sent: unknown = req.body;
      if (sent instanceof Readable) {
        refuseLong(Number(req.headers['content-length']));
        return importing.fromTar(kind, sent);
      }
      const asked = importRequestSchema.safeParse(sent);
      if (asked.success) return importing.fromFolder(kind, asked.data.folder);
      throw new CodedError(
        'invalid_request',
        `send a tar as ${TAR_CONTENT_TYPE}, or {"folder": "..."} as JSON: ${asked.error.issues[0]?.message}`,
      );
    },
  );
  server.get(
    '/api/models/:kind/versions/:version/export',
    {
      schema: {
        tags: TAGS,
        summary: `A version as a tar (${TAR_CONTENT_TYPE}), the same bytes each time: what an import takes`,
        params: z.object({ kind: modelTypeSchema, version: versionNameSchema }),
        querystring: z.object({ format: z.literal('tar').default('tar') }),
      },
    },
    async (req, reply) => {
      const row = await mustFindVersion(db, req.params.kind, req.params.version);
      const files = await blobs.using(() => openFiles(blobs, row));
      return reply
        .type(TAR_CONTENT_TYPE)
        .header('etag', `"${row.digest}"`)
        .header('content-disposition', `attachment; filename="${row.model_type}-${row.version}.tar"`)
        .send(packFlatTar(files));
    },
  );
}

/** Before a byte of it is read. One that does not tell its length is cut off where it becomes too long. */
function refuseLong(bytes: number): void {
  const bytesMax = tarBytesMax(ARTIFACT_TAR_LIMITS);
  if (bytes > bytesMax)
    throw new CodedError('body_too_large', `the tar has ${bytes} bytes, at most ${bytesMax} are taken`);
}

/** Opened before the first byte is sent: a version that is retired meanwhile is read to its end. */
async function openFiles(blobs: Blobs, row: VersionRow): Promise<TarFile[]> {
  const named = [
    [MODEL_MANIFEST_FILE, row.digest] as const,
    ...Object.entries(manifestOf(row).files).map(([name, { sha256 }]) => [name, sha256] as const),
  ];
  const opened: { name: string; handle: FileHandle; bytes: number }[] = [];
  try {
    for (const [name, sha256] of named) {
      const handle = await blobs.open(sha256);
      if (handle === null)
        throw new CodedError(
          'not_found',
          `${name} of ${row.model_type} ${row.version} is not in the registry`,
        );
      opened.push({ name, handle, bytes: (await handle.stat()).size });
    }
  } catch (error) {
    await Promise.all(opened.map(({ handle }) => handle.close()));
    throw error;
  }
  return opened.map(({ name, handle, bytes }) => ({ name, bytes, read: () => handle.createReadStream() }));
}
