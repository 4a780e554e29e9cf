// `GET /metrics`, and what each request adds to it.
import type { Identity } from '@jarvis/contracts';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { HttpServer } from '../http-server.ts';
import type { Logger } from '../logger.ts';
import { followedRoutes, isStream } from '../sse.ts';
import { type Exposition, expose } from './exposition.ts';
import type { Meter } from './meter.ts';
import { readProcessMetrics } from './process-metrics.ts';

const UNMATCHED = 'unmatched';

export interface HttpMetricsOptions {
  readonly identity: Identity;
  readonly meter: Meter;
  readonly logger: Logger;
}

/** Before the routes: a hook holds for what is added after it. */
export function addHttpMetrics(server: HttpServer, { identity, meter, logger }: HttpMetricsOptions): void {
  server.addHook('onResponse', async (req, reply) => note(meter, req, reply));
  const { service, contract_version: version } = identity;
  meter.read(readProcessMetrics);
  meter.read((put) => {
    put('jarvis_service_info', { service, contract_version: String(version) }, 1);
    for (const route of followedRoutes(server.server)) put('jarvis_event_stream_followers', { route }, 1);
  });
  let scrape: Promise<Exposition> | null = null;
  server.get(
    '/metrics',
    { schema: { summary: 'Figures for Prometheus (docs/metrics.md)' } },
    async (_req, reply) => {
      // Who asks meanwhile gets the same answer.
      scrape ??= expose({ service, meter, logger }).finally(() => (scrape = null));
      const { contentType, text } = await scrape;
      return reply.type(contentType).send(text);
    },
  );
}

function note(meter: Meter, req: FastifyRequest, reply: FastifyReply): void {
  const route = req.routeOptions.url ?? UNMATCHED;
  const { method } = req;
  const status = `${Math.floor(reply.raw.statusCode / 100)}xx`;
  meter.count('jarvis_http_requests_total', { method, route, status });
  if (!isStream(reply))
    meter.observe('jarvis_http_request_duration_seconds', { method, route }, reply.elapsedTime / 1000);
}
