// What the fixture services share: a real HTTP server that can go away and come back on the port that it had.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Health, ServiceName } from '@jarvis/contracts';

export abstract class FixtureServer {
  readonly service: ServiceName;
  #server: Server | null = null;
  #port = 0;

  constructor(service: ServiceName) {
    this.service = service;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  async start(): Promise<void> {
    const server = createServer((req, res) => {
      this.answer(req, res).catch((error: unknown) => {
        if (!res.headersSent) json(res, 500, { error: String(error) });
        else res.destroy();
      });
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.#port, '127.0.0.1', resolve);
    });
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    if (server === null) return;
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  }

  protected abstract answer(req: IncomingMessage, res: ServerResponse): Promise<void>;

  protected health(): Health {
    return {
      service: this.service,
      instance_id: `${this.service}-1`,
      home_id: 'home',
      pid: process.pid,
      started_at: '2026-11-24T00:00:00Z',
      contract_version: 1,
      status: 'healthy',
      uptime_seconds: 1,
      active_training_jobs: 0,
      experience_buffer_size: 0,
      models_deployed: this.service === 'j-prime' ? { nlu: 'v0.1.0' } : {},
    };
  }
}

export async function bodyOf(req: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of req) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString('utf8'));
}

export function json(res: ServerResponse, status: number, body: unknown): void {
  res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

/** An answer as the services give it when they refuse. */
export function problem(res: ServerResponse, status: number, code: string, detail: string): void {
  const body = { type: `urn:jarvis:error:${code}`, title: code, status, detail, code, error: detail };
  res.writeHead(status, { 'content-type': 'application/problem+json' }).end(JSON.stringify(body));
}
