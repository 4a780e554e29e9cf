// What J-Prime needs of Reactor Core here: one route, to one artifact in a folder, told once and for all.
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { MODEL_MANIFEST_FILE, type Routes } from '@jarvis/contracts';

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Resolves once it listens. */
export async function serveArtifact(dir: string): Promise<{ url: string; server: Server }> {
  const names = await readdir(dir);
  const files = await Promise.all(names.map((name) => readFile(join(dir, name))));
  const blobs = new Map(files.map((bytes) => [`/api/artifacts/${sha256(bytes)}`, bytes]));
  const digest = sha256(await readFile(join(dir, MODEL_MANIFEST_FILE)));
  const stable = { version: 'v0.1.0', digest };
  const routes: Routes = { revision: 1, routes: [{ model_type: 'nlu', stable, candidate: null }] };
  const server = createServer((req, res) => {
    const bytes = blobs.get(req.url ?? '');
    if (bytes !== undefined) return void res.end(bytes);
    if (req.url !== '/api/routes/stream') return void res.writeHead(404).end();
    res.writeHead(200, { 'content-type': 'text/event-stream' });
    res.write(`id: 1\nevent: routes\ndata: ${JSON.stringify(routes)}\n\n`);
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server };
}
