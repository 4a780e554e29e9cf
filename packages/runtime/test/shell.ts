// A server on a free port for one test, and calls to it with any header one likes (fetch forbids some of them).
import { request } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import type { Identity } from '@jarvis/contracts';
import {
  createHttpShell,
  type HttpServer,
  type HttpShellOptions,
  Meter,
  silentLogger,
} from '../src/index.ts';

export const IDENTITY: Identity = {
  service: 'jarvis-core',
  instance_id: 'core-1',
  home_id: 'home-1',
  pid: 1,
  started_at: '2026-01-01T00:00:00.000Z',
  contract_version: 1,
};

export interface Shell {
  readonly port: number;
  readonly url: string;
  readonly server: HttpServer;
  readonly call: (options: Call) => Promise<Answer>;
}

export interface Call {
  readonly path: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
  readonly json: Record<string, unknown>;
}

export async function startShell(
  t: TestContext,
  addRoutes: (server: HttpServer) => void,
  options: Partial<HttpShellOptions> = {},
): Promise<Shell> {
  const server = await createHttpShell({
    identity: IDENTITY,
    title: 'A service',
    logger: silentLogger(),
    meter: new Meter(),
    bodyLimitBytes: 10_000,
    host: '127.0.0.1',
    token: null,
    ...options,
  });
  addRoutes(server);
  await server.listen({ port: 0, host: '127.0.0.1' });
  t.after(() => server.close());
  const { port } = server.server.address() as AddressInfo;
  return { port, url: `http://127.0.0.1:${port}`, server, call: (c) => call(port, c) };
}

function call(port: number, { path, method = 'GET', headers = {}, body }: Call): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const sent = request({ host: '127.0.0.1', port, path, method, headers, agent: false }, (response) => {
    const chunks: Buffer[] = [];
    response.on('data', (chunk: Buffer) => chunks.push(chunk));
    response.on('error', reject);
    response.on('end', () => {
      const text = Buffer.concat(chunks).toString('utf8');
      resolve({
        status: response.statusCode ?? 0,
        headers: response.headers,
        body: text,
        json: isJson(response.headers['content-type']) ? (JSON.parse(text) as Answer['json']) : {},
      });
    });
  });
  sent.on('error', reject);
  sent.end(body);
  return promise;
}

function isJson(contentType: string | undefined): boolean {
  return /^application\/(problem\+)?json/.test(contentType ?? '');
}
