// `GET /docs`: Swagger UI over this service's own openapi.json. Its files are read when somebody asks for them, so that
// a page that is seldom opened costs no start anything; registering the plugin took 50 ms of a start of half a second.
import { createReadStream } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CodedError } from '@jarvis/contracts';
import { z } from 'zod';
import type { HttpServer } from './http-server.ts';

/** What the page asks for, and as what it is sent. */
const FILES: Readonly<Record<string, string>> = {
  'swagger-ui.css': 'text/css; charset=utf-8',
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
  'favicon-32x32.png': 'image/png',
};
const INITIALIZER = 'initializer.js';
const CACHE_SECONDS = 3600;
/** Nothing from elsewhere; Swagger UI sets styles of its own and draws its icons as data. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'";

export function addApiDocs(server: HttpServer, title: string): void {
  const hidden = { schema: { hide: true } };
  server.get('/docs', hidden, async (_req, reply) =>
    reply.header('content-security-policy', POLICY).type('text/html; charset=utf-8').send(pageOf(title)),
  );
  const params = z.object({ file: z.string().max(64) });
  server.get('/docs/:file', { schema: { hide: true, params } }, async (req, reply) => {
    const { file } = req.params;
    if (file === INITIALIZER) return reply.type('text/javascript; charset=utf-8').send(initializer);
    const type = Object.hasOwn(FILES, file) ? FILES[file] : undefined;
    if (type === undefined) throw new CodedError('not_found', `there is nothing at GET /docs/${file}`);
    return reply
      .header('cache-control', `public, max-age=${CACHE_SECONDS}`)
      .type(type)
      .send(createReadStream(join(folderOfFiles(), file)));
  });
}

function folderOfFiles(): string {
  return join(dirname(fileURLToPath(import.meta.resolve('@fastify/swagger-ui'))), 'static');
}

const initializer = `SwaggerUIBundle({ url: '/openapi.json', dom_id: '#docs', deepLinking: true, tryItOutEnabled: true });\n`;

function pageOf(title: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}: its calls</title>
<link rel="icon" type="image/png" href="/docs/favicon-32x32.png">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="docs"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/${INITIALIZER}"></script>
</body>
</html>
`;
}
