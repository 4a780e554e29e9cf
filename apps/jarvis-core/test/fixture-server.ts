// What the fixture services share beside going away and coming back: their health, and how they answer.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Health, ServiceName } from '@jarvis/contracts';
import { ReturningServer } from '@jarvis/testkit';

export abstract class FixtureServer extends ReturningServer {
  readonly service: ServiceName;

  constructor(service: ServiceName) {
    super();
    this.service = service;
  }

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
